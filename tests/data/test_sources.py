"""Every source lists each image once, with the right logit column, and names what it cannot map."""

import csv
import json
import tarfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data import DataConfig, check_data, load_dataset
from bench.data.dataset import Dataset, balanced_subset
from bench.data.label_spaces import KNOWN_SPACES, LabelSpace, imagenet
from bench.errors import ConfigurationError, DataError


def folder_config(root, **changes):
    return DataConfig(source="folder", root=str(root), **changes)


def fill(root, folders):
    for folder in folders:
        (root / folder).mkdir(parents=True)
        (root / folder / "one.jpg").write_bytes(b"x")


def test_the_samples_are_twenty_images_with_their_labels():
    dataset = load_dataset(DataConfig(name="samples", source="samples"))
    assert len(dataset) == 20
    names = [dataset.label_space.titles[label] for label in dataset.labels]
    assert names[4] == "strawberry", "what the fifth picture shows"
    assert names[17].startswith("bald eagle"), "what the eighteenth picture shows"


def test_folders_by_wnid(tmp_path):
    fill(tmp_path, ["n02123045", "n01440764"])
    dataset = load_dataset(folder_config(tmp_path), imagenet())
    assert dict(zip(dataset.image_ids, dataset.labels, strict=True)) == {
        "n01440764/one.jpg": 0,  # tench is the first class of ImageNet
        "n02123045/one.jpg": 281,  # tabby cat
    }
    assert imagenet().titles[281].startswith("tabby")
    assert len(imagenet().class_names) == 1000


def test_folders_by_index(tmp_path):
    fill(tmp_path, ["7", "12", "0999"])
    dataset = load_dataset(folder_config(tmp_path, label_space="columns"), imagenet())
    assert {name.split("/")[0]: label for name, label in zip(dataset.image_ids, dataset.labels, strict=True)} == {
        "7": 7,
        "12": 12,
        "0999": 999,
    }
    assert load_dataset(folder_config(tmp_path)).label_space.class_names == ("7", "12", "0999"), "their own"
    fill(tmp_path, ["07"])
    with pytest.raises(ConfigurationError, match="two folders for one class index"):
        load_dataset(folder_config(tmp_path))


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_any_folder_names_with_a_class_map(tmp_path, kind):
    fill(tmp_path / "images", ["Katze", "<script>", "犬"])
    classes = {"Katze": 281, "<script>": 3, "犬": 207}
    path = tmp_path / f"map.{kind}"
    if kind == "json":
        path.write_text(json.dumps(classes))
    else:
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(classes.items())
    dataset = load_dataset(folder_config(tmp_path / "images", class_map=str(path)), imagenet())
    assert {
        image_id.split("/")[0]: label for image_id, label in zip(dataset.image_ids, dataset.labels, strict=True)
    } == classes


def test_unknown_folders_are_named(tmp_path):
    fill(tmp_path / "images", ["n01440764", "cats"])
    with pytest.raises(ConfigurationError, match=r"class 'cats' of .*imagenet.*; data\.class_map=FILE"):
        load_dataset(folder_config(tmp_path / "images"), imagenet())
    (tmp_path / "map.csv").write_text("cat,281\nn01440764,0\n")
    with pytest.raises(ConfigurationError, match=r"class 'cats' .* did you mean 'cat'"):
        load_dataset(folder_config(tmp_path / "images", class_map=str(tmp_path / "map.csv")), imagenet())
    (tmp_path / "map.csv").write_text("cat\n")
    with pytest.raises(ConfigurationError, match=r"map\.csv is not lines of name,column"):
        load_dataset(folder_config(tmp_path / "images", class_map=str(tmp_path / "map.csv")), imagenet())


def test_empty_places_raise(tmp_path):
    with pytest.raises(DataError, match="no class folders"):
        load_dataset(folder_config(tmp_path))
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / ".hidden").write_bytes(b"")
    with pytest.raises(DataError, match=r"class folder .*3 has no images"):
        load_dataset(folder_config(tmp_path))
    with pytest.raises(DataError, match="empty set has no accuracy"):
        Dataset("none", (), np.array([], dtype=np.int64), LabelSpace("none", 0), bytes, "")


def test_duplicates_raise():
    with pytest.raises(DataError, match="lists 'a' twice"):
        Dataset("twice", ("a", "b", "a"), np.zeros(3, dtype=np.int64), LabelSpace("one", 1), bytes, "")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (DataConfig(source="foldr"), "unknown data.source 'foldr': did you mean 'folder'"),
        (DataConfig(source="folder"), "data.root is needed"),
        (DataConfig(source="samples", on_error="ignore"), "'refuse' or 'skip'"),
        (DataConfig(source="samples", limit=0), "at least 1"),
        (
            DataConfig(source="samples", limit=21),
            r"data\.limit=21 is more than the 20 images of samples: .* at most 20",
        ),
        (DataConfig(source="samples", label_space="imagenet_b"), "did you mean 'imagenet_"),
        (DataConfig(source="tar"), r"data\.root=FILE\.tar"),
        (DataConfig(source="tar", root="/no/such.tar"), "no tar file or folder at /no/such.tar"),
        (DataConfig(source="huggingface", dataset=None), "give data.dataset=NAME"),
        (DataConfig(source="tfds", dataset="x"), "needs the package tensorflow_datasets"),
    ],
)
def test_mistakes_are_refused_in_one_line(config, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        check_data(config)
    assert "\n" not in str(caught.value)


def test_a_missing_folder_names_its_neighbours(tmp_path):
    (tmp_path / "imagenet").mkdir()
    with pytest.raises(ConfigurationError, match=r"no folder at .*imagnet; did you mean 'imagenet'"):
        check_data(folder_config(tmp_path / "imagnet"))


def test_a_tar_of_class_folders_is_read_through_timm(tmp_path, sample_files):
    path = tmp_path / "images.tar"
    with tarfile.open(path, "w") as tar:
        for file in sample_files[:5]:
            tar.add(file, arcname=f"{file.stem.split('_')[2]}/{file.name}")
    dataset = load_dataset(DataConfig(source="tar", root=str(path), label_space="imagenet"), imagenet())
    assert len(dataset) == 5
    for position, image_id in enumerate(dataset.image_ids):
        original = next(file for file in sample_files if image_id.endswith(file.name))
        assert dataset.read_bytes(position) == original.read_bytes()
        assert dataset.labels[position] == int(original.stem.split("_")[2])


def test_a_limit_above_the_number_of_images_is_refused_when_they_are_listed_at_the_latest(tmp_path, sample_files):
    path = tmp_path / "images.tar"
    with tarfile.open(path, "w") as tar:
        for file in sample_files[:5]:
            tar.add(file, arcname=f"{file.stem.split('_')[2]}/{file.name}")
    config = DataConfig(source="tar", root=str(path), label_space="imagenet")
    assert len(load_dataset(replace(config, limit=5))) == 5
    for limit, message in {6: r"data\.limit=6 is more than the 5 images", 0: "at least 1"}.items():
        with pytest.raises(ConfigurationError, match=message):
            load_dataset(replace(config, limit=limit))


def test_label_subsets_are_the_published_sizes():
    for name in ("imagenet_a", "imagenet_r"):
        columns = KNOWN_SPACES[name].subset()
        assert len(set(columns)) == 200
        assert columns == tuple(sorted(columns))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(1, 70), st.integers(0, 3))
def test_a_subset_is_balanced_seeded_and_of_the_size_asked_for(labels, limit, seed):
    labels = np.array(labels)
    positions = balanced_subset(labels, limit, seed=seed)
    assert len(positions) == min(limit, len(labels)) == len(set(positions))
    assert list(positions) == sorted(positions)
    assert np.array_equal(positions, balanced_subset(labels, limit, seed=seed))
    have, kept = np.bincount(labels, minlength=6), np.bincount(labels[positions], minlength=6)
    fullest = kept.max()
    assert all(kept[c] >= min(have[c], fullest - 1) for c in range(6)), "no class is short while another has two more"


def test_another_seed_takes_other_images():
    labels = np.zeros(1000, dtype=np.int64)
    assert not np.array_equal(balanced_subset(labels, 10, seed=0), balanced_subset(labels, 10, seed=1))


@pytest.mark.shared_data
def test_real_imagenet_folders(shared_data):
    dataset = load_dataset(folder_config(shared_data / "imagenet_samples"), imagenet())
    assert len(dataset) == 500
    wnids = imagenet().class_names
    assert all(
        wnids[label] == image_id.split("/")[0]
        for image_id, label in zip(dataset.image_ids, dataset.labels, strict=True)
    )
