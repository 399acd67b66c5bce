"""Labels cannot be wrong in silence: a class is found by its name, or its number is certain, or the set is refused."""

import io
import json
import tarfile

import numpy as np
import pytest

from bench.data import DataConfig, LabelSpace, check_labels, load_dataset
from bench.data.label_spaces import CIFAR10, KNOWN_SPACES, imagenet, read_class_map, read_label_space, unnamed_classes
from bench.data.matching import Declared, match_classes
from bench.errors import ConfigurationError, DataError

WNIDS = ("n02123045", "n01440764", "n02099601")
"""Tabby, tench, golden retriever: ImageNet's classes 281, 0 and 207."""


@pytest.fixture
def fill(tmp_path):
    """Class folders of one file each."""

    def make(*names):
        for name in names:
            (tmp_path / "images" / name).mkdir(parents=True)
            (tmp_path / "images" / name / "one.jpg").write_bytes(b"x")
        return str(tmp_path / "images")

    return make


@pytest.fixture
def hugging_face(tmp_path, sample_files):
    """A local Hugging Face set of sample photographs, with class names or without."""
    datasets = pytest.importorskip("datasets")

    def make(labels, names=None):
        label = datasets.Value("int64") if names is None else datasets.ClassLabel(names=list(names))
        rows = {"image": [{"bytes": f.read_bytes(), "path": None} for f in sample_files[: len(labels)]]}
        features = datasets.Features(image=datasets.Image(), label=label)
        (tmp_path / "rows").mkdir()
        table = datasets.Dataset.from_dict({**rows, "label": labels}, features=features)
        table.to_parquet(tmp_path / "rows" / "validation.parquet")
        return DataConfig(source="huggingface", root=str(tmp_path / "rows"))

    return make


def test_wnids_that_name_a_hugging_face_sets_classes_are_found_among_the_classifiers(hugging_face):
    dataset = load_dataset(hugging_face([0, 1, 2, 1], WNIDS), imagenet())
    assert dataset.labels.tolist() == [281, 0, 207, 0], "never the set's own numbers 0, 1, 2, 1"
    assert dataset.label_space == imagenet()


def test_titles_name_classes_too(hugging_face):
    names = ["golden retriever", "tench, Tinca tinca", "tabby, tabby cat"]
    assert load_dataset(hugging_face([0, 1, 2], names), imagenet()).labels.tolist() == [207, 0, 281]


def test_a_title_of_two_classes_names_neither():
    cranes = [number for number, title in enumerate(imagenet().titles) if title == "crane"]
    assert cranes == [134, 517], "the bird and the machine"
    assert "crane" not in imagenet().numbers
    with pytest.raises(ConfigurationError, match=r"class 'crane' of sets is not among the classifier's classes"):
        match_classes(LabelSpace("sets", 1, ("crane",)), ["crane"], imagenet(), Declared())


def test_a_hugging_face_set_with_other_classes_is_refused(hugging_face):
    with pytest.raises(ConfigurationError, match=r"class 'dog' of .*rows is not among .*imagenet.*class_map=FILE"):
        load_dataset(hugging_face([0, 1], ["dog", "cat"]), imagenet())


def test_numbers_without_names_are_no_columns_unless_it_is_said(hugging_face):
    config = hugging_face([0, 1, 2])
    with pytest.raises(ConfigurationError, match=r"numbers its 3 classes from 0 to 2.*data\.label_space=columns"):
        load_dataset(config, imagenet())
    config.label_space = "imagenet"
    assert load_dataset(config, imagenet()).labels.tolist() == [0, 1, 2]


@pytest.mark.parametrize("names", [None, ("dog", "cat")])
def test_a_negative_label_is_refused_by_its_row(hugging_face, names):
    with pytest.raises(DataError, match=r"rows: row 1 has the label -1; class numbers go from 0 to 1"):
        load_dataset(hugging_face([1, -1, 0], names))


def test_a_negative_label_of_a_shard_is_refused(tmp_path, sample_files):
    with tarfile.open(tmp_path / "val-0.tar", "w") as tar:
        for name, data in (("a.jpg", sample_files[0].read_bytes()), ("a.cls", b"-1")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    with pytest.raises(DataError, match="row 0 has the label -1"):
        load_dataset(DataConfig(source="webdataset", root=str(tmp_path), split="val-{0..0}.tar"))


def test_cifar_10_is_refused_to_an_imagenet_classifier_and_matched_by_name_to_another(fill):
    root = fill(*CIFAR10.class_names)
    for declared in (None, "cifar10"):
        config = DataConfig(source="cifar10", root=root, split="test", label_space=declared)
        for ask in (check_labels, load_dataset):
            with pytest.raises(ConfigurationError, match=r"class 'airplane' of .* is not among .*imagenet \(1,000"):
                ask(config, imagenet())
        backwards = LabelSpace("backwards", 10, CIFAR10.class_names[::-1])
        assert load_dataset(config, backwards).labels.tolist() == list(range(9, -1, -1))
        assert load_dataset(config, unnamed_classes(10)).labels.tolist() == list(range(10)), "in the published order"
        with pytest.raises(ConfigurationError, match=r"class|classes"):
            load_dataset(config, unnamed_classes(11))


def test_index_folders_are_columns_only_where_they_are_as_many(fill):
    root = fill("0", "1", "2", "3", "4")
    config = DataConfig(source="folder", root=root)
    for ask in (check_labels, load_dataset):
        with pytest.raises(ConfigurationError, match=r"numbers its 5 classes from 0 to 4, and the classifier has 100"):
            ask(config, unnamed_classes(100))
        with pytest.raises(ConfigurationError, match=r"model\.num_classes=5"):
            ask(config, unnamed_classes(4))
    assert load_dataset(config, unnamed_classes(5)).labels.tolist() == [0, 1, 2, 3, 4]
    config.label_space = "columns"
    assert load_dataset(config, unnamed_classes(100)).labels.tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ConfigurationError, match=r"'4' of .* has the number 4, but the numbers of .* go from 0 to 3"):
        load_dataset(config, unnamed_classes(4))


def test_names_are_columns_in_alphabetical_order_only_where_it_is_said(fill):
    config = DataConfig(source="folder", root=fill("b", "a", "c"))
    with pytest.raises(ConfigurationError, match=r"3 classes whose names are not known.*model\.label_space=FILE"):
        check_labels(config, unnamed_classes(3))
    config.label_space = "columns"
    assert load_dataset(config, unnamed_classes(3)).labels.tolist() == [0, 1, 2]


def test_a_subset_restricts_decisions_in_the_classifiers_own_columns(fill):
    subset = KNOWN_SPACES["imagenet_r"].subset()
    root = fill(imagenet().class_names[subset[3]])
    config = DataConfig(source="folder", root=root, label_space="imagenet_r")
    shuffled = np.random.default_rng(0).permutation(1000)
    classifier = LabelSpace("shuffled", 1000, tuple(imagenet().class_names[number] for number in shuffled))
    dataset = load_dataset(config, classifier)
    assert [shuffled[column] for column in dataset.class_ids] == list(subset)
    assert shuffled[dataset.labels[0]] == subset[3]
    assert dataset.label_space.name == "imagenet_r"


def test_a_class_outside_the_subset_is_refused(fill):
    config = DataConfig(source="folder", root=fill("n01440764"), label_space="imagenet_r")
    with pytest.raises(ConfigurationError, match=r"'n01440764' of .* none of the 200 classes"):
        check_labels(config, imagenet())


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("map.csv", "cat,1\ndog,2\ncat,3\n", r"lists 'cat' 2 times"),
        ("map.json", '{"cat": 1, "dog": 2, "cat": 1}', r"lists 'cat' 2 times"),
        ("map.json", '{"cat": 1.7}', r"1\.7 is no class number"),
        ("map.json", '{"cat": 1.0}', r"1\.0 is no class number"),
        ("map.json", '{"cat": true}', r"true is no class number"),
        ("map.json", '{"cat": null}', r"null is no class number"),
        ("map.json", '{"cat": -1}', r"-1 is no class number"),
        ("map.json", "[1, 2]", r"no object"),
        ("map.csv", "cat,1.7\n", r"'1\.7' is no class number"),
        ("map.csv", "cat,true\n", r"'true' is no class number"),
        ("map.csv", "cat,-1\n", r"'-1' is no class number"),
        ("map.csv", "cat\n", r"not lines of name,column"),
    ],
)
def test_a_class_map_that_cannot_be_meant_is_refused(tmp_path, fill, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=message) as refused:
        read_class_map(str(path))
    assert "\n" not in str(refused.value)
    assert name in str(refused.value)
    with pytest.raises(ConfigurationError, match=message):
        load_dataset(DataConfig(source="folder", root=fill("cat"), class_map=str(path)), imagenet())


def test_a_class_map_gives_columns_or_numbers_of_the_label_space_beside_it(tmp_path, fill):
    path = tmp_path / "map.json"
    path.write_text(json.dumps({"Katze": 281}))
    config = DataConfig(source="folder", root=fill("Katze"), class_map=str(path))
    backwards = LabelSpace("backwards", 1000, imagenet().class_names[::-1])
    assert load_dataset(config, backwards).labels.tolist() == [281], "a column of whatever classifier it is"
    config.label_space = "imagenet"
    assert load_dataset(config, backwards).labels.tolist() == [999 - 281], "the class, wherever the classifier has it"
    path.write_text(json.dumps({"Katze": 1000}))
    with pytest.raises(ConfigurationError, match=r"has the number 1000, but the numbers of .* go from 0 to 999"):
        check_labels(config, imagenet())


def test_a_classifiers_classes_can_be_named_in_a_file(tmp_path, fill):
    path = tmp_path / "classes.txt"
    path.write_text("zebra\nant\n\n")
    space = read_label_space(str(path))
    assert load_dataset(DataConfig(source="folder", root=fill("ant", "zebra")), space).labels.tolist() == [1, 0]
    path.write_text("zebra\nant\nzebra\n")
    with pytest.raises(ConfigurationError, match="two classes called 'zebra'"):
        read_label_space(str(path))
    with pytest.raises(ConfigurationError, match=r"label_space=imagnet .*did you mean 'imagenet'"):
        read_label_space("imagnet")
    path.write_text("\n".join(CIFAR10.class_names))
    assert read_label_space(str(path)) == CIFAR10, "known classes in their known order are that label space"
