"""The 16 categories: the published indices, disjoint, and what they say they are; names of stimuli; other maps."""

import json
import re

import numpy as np
import pytest
from timm.data import ImageNetInfo

from bench.data import DataConfig, load_dataset
from bench.data.categories import CATEGORIES, imagenet_categories, read_category_map, read_cues
from bench.errors import ConfigurationError, DataError

# a word of timm's own name or WordNet definition that every member of the category has
SAYS = {
    "airplane": r"air(plane|liner)|aircraft",
    "bear": r"bear",
    "bicycle": r"bicycle",
    "bird": r"bird|finch|thrush|bulbul|jay|corvine|chickadee|titmouse|duck|merganser|goose|swan|owl|eagle|kite|vulture"
    r"|magpie|crow|grouse|ptarmigan|partridge|quail|parrot|cockatoo|lorikeet|macaw|coucal|hornbill|hummingbird|jacamar|toucan|stork"
    r"|spoonbill|flamingo|heron|egret|bittern|crane|limpkin|gallinule|coot|bustard|turnstone|sandpiper|redshank"
    r"|dowitcher|oystercatcher|pelican|penguin|albatross|junco|robin|indigo|brambling|\bcock\b|\bhen\b|peacock",
    "boat": r"boat|canoe|gondola|vessel|yawl|catamaran",
    "bottle": r"bottle|jug|container|vessel|pitcher",
    "car": r"\bcar\b|automobile",
    "cat": r"\bcat\b|feline",
    "chair": r"chair|seat|throne",
    "clock": r"clock|timepiece",
    "dog": r"\bdogs?\b|hound|terrier|retriever|spaniel|setter|pointer|sheepdog|shepherd|collie|poodle|pinscher|mastiff"
    r"|bulldog|schnauzer|griffon|corgi|malamute|husky|spitz|breed|pug|leonberg|newfoundland|pyrenees|samoyed|sennenhund",
    "elephant": r"elephant",
    "keyboard": r"keyboard",
    "knife": r"knife|cleaver|blade",
    "oven": r"oven|kitchen appliance",
    "truck": r"truck|van\b|vehicle|lorry|tractor|trailer",
}


@pytest.fixture(scope="module")
def info():
    return ImageNetInfo()


def test_there_are_207_indices_of_16_categories_and_none_is_shared():
    columns = imagenet_categories().columns
    assert tuple(columns) == CATEGORIES == tuple(sorted(CATEGORIES))
    members = [column for held in columns.values() for column in held]
    assert len(members) == len(set(members)) == 207
    assert min(members) >= 0
    assert max(members) < 1000


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_member_is_what_its_category_says(category, info):
    for column in imagenet_categories().columns[category]:
        words = info.index_to_description(column, detailed=True).lower()
        assert re.search(SAYS[category], words), f"{column}: {words}"


def test_every_dog_is_a_dog_and_no_domestic_dog_breed_is_taken_for_anything_else(info):
    columns = imagenet_categories().columns
    # ImageNet's domestic dogs are the columns 151 to 268; beyond them come wolves, wild dogs and foxes
    assert all(151 <= column <= 268 for column in columns["dog"])
    others = {column for category, held in columns.items() if category != "dog" for column in held}
    assert not others & set(range(151, 269))
    assert info.index_to_description(151).lower() == "chihuahua"
    assert info.index_to_description(268).lower().startswith("mexican hairless")


@pytest.mark.shared_data
def test_the_indices_are_the_published_ones(shared_data):
    published = json.loads((shared_data / "sixteen_categories.json").read_text())["categories"]
    assert {name: list(held) for name, held in imagenet_categories().columns.items()} == published


@pytest.mark.parametrize(
    "name",
    [
        "cat/cat7-elephant2.png",
        "cat7-elephant2",
        "0001_s5n_dnn_0_cat_00_cat7-elephant2.png",
        "0007_cc_s01_0_cat_00_cat7-elephant2.JPEG",
    ],
)
def test_a_stimulus_names_both_its_cues(name):
    assert read_cues(name) == ("cat", "elephant")


@pytest.mark.parametrize("name", ["cat/cat7.png", "cat/n0123_17.JPEG", "cat/cat-elephant2.png", "cat7-elephant2-dog3"])
def test_another_name_is_refused(name):
    with pytest.raises(DataError, match="is not the name of a cue-conflict image"):
        read_cues(name)


def test_an_unknown_cue_names_the_nearest():
    with pytest.raises(DataError, match="'elefant': did you mean 'elephant'"):
        read_cues("cat7-elefant2.png")


def test_a_map_of_another_label_space_may_be_json_or_csv(tmp_path):
    (tmp_path / "cifar10.json").write_text('{"dog": [5], "airplane": [0], "truck": [9]}')
    (tmp_path / "cifar10.csv").write_text("airplane,0\ndog,5\ntruck,9\n")
    maps = [read_category_map(tmp_path / name) for name in ("cifar10.json", "cifar10.csv")]
    assert maps[0] == maps[1]
    assert list(maps[0].columns.items()) == [("airplane", (0,)), ("dog", (5,)), ("truck", (9,))]
    assert maps[0].digest == maps[1].digest != imagenet_categories().digest == "imagenet"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"dgo": [1], "cat": [2]}', "'dgo', not one of the 16 categories: did you mean 'dog'"),
        ('{"dog": [1], "cat": [1]}', "cat the column 1, which belongs to dog already"),
        ('{"dog": [-1], "cat": [1]}', "neither a JSON object .*: -1 is no class number"),
        ('{"dog": [1]}', "fewer than two categories"),
        ("[1, 2]", "neither a JSON object"),
        ('{"dog": [1.0], "cat": [2]}', "neither a JSON object .*: 1.0 is no class number"),
        ('{"dog": 1, "cat": true}', "neither a JSON object .*: true is no class number"),
        ('{"dog": [1], "cat": [2], "dog": [3]}', "lists 'dog' 2 times"),
        ("{", "neither a JSON object"),
    ],
)
def test_a_malformed_map_is_refused(tmp_path, text, message):
    (tmp_path / "map.json").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        read_category_map(tmp_path / "map.json")


def test_a_missing_map_names_its_neighbours(tmp_path):
    (tmp_path / "cifar10.csv").write_text("")
    with pytest.raises(ConfigurationError, match=r"no class map at .*; did you mean 'cifar10\.csv'"):
        read_category_map(tmp_path / "cifar1.csv")


def test_category_folders_are_labelled_by_category(tmp_path):
    for folder in ("truck", "bear"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.png").write_bytes(b"")
    dataset = load_dataset(DataConfig(source="categories", root=str(tmp_path)))
    assert dataset.image_ids == ("bear/one.png", "truck/one.png")
    assert np.array_equal(dataset.labels, [CATEGORIES.index("bear"), CATEGORIES.index("truck")])


def test_an_unknown_category_folder_names_the_nearest(tmp_path):
    (tmp_path / "trucks").mkdir()
    (tmp_path / "trucks" / "one.png").write_bytes(b"")
    with pytest.raises(
        ConfigurationError, match=r"'trucks' of .* is not among the 16 categories .*; did you mean 'truck'"
    ):
        load_dataset(DataConfig(source="categories", root=str(tmp_path)))


def test_a_class_map_of_category_folders_belongs_to_the_benchmark(tmp_path):
    with pytest.raises(ConfigurationError, match="benchmark's own class_map"):
        load_dataset(DataConfig(source="categories", root=str(tmp_path), class_map="map.csv"))
