"""Images that show no class: sets as folders and as OpenOOD's lists, decisions among a subset, and what is refused."""

import shutil

import numpy as np
import pytest

from bench.data import DataConfig, LabelSpace, check_data, check_labels, load_dataset
from bench.data.label_spaces import CIFAR10, KNOWN_SPACES, imagenet
from bench.errors import ConfigurationError, DataError

IMAGENET_O = tuple(KNOWN_SPACES["imagenet_o"].subset())


def config(root, **changes):
    return DataConfig(source="unlabelled", root=str(root), **changes)


@pytest.fixture
def folders(tmp_path, sample_files):
    for name, files in {"ninco": sample_files[:3], "ssb_hard": sample_files[3:5]}.items():
        for number, file in enumerate(files):
            place = tmp_path / "sets" / name / ("below" if number else "")
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place / file.name)
    (tmp_path / "sets" / ".hidden").mkdir()
    return tmp_path / "sets"


@pytest.fixture
def openood(tmp_path, sample_files):
    """OpenOOD's folder ``data``: images of several benchmarks, and lists of ordinary and other images."""
    lists, images = tmp_path / "data" / "benchmark_imglist" / "imagenet", tmp_path / "data" / "images_largescale"
    lists.mkdir(parents=True)
    listed = {
        "test_imagenet.txt": [("imagenet_1k/val/a b.jpg", 3), ("imagenet_1k/val/b.jpg", 7)],
        "test_ninco.txt": [("ninco/x/1.jpg", -1), ("ninco/x/2 of 2.jpg", -1)],
        "test_textures.txt": [("texture/banded/1.jpg", -1)],
        "val_openimage_o.txt": [("openimage_o/1.jpg", -1)],
    }
    for name, rows in listed.items():
        (lists / name).write_text("".join(f"{path} {label}\n" for path, label in rows))
        for path, _ in rows:
            (images / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(sample_files[0], images / path)
    return tmp_path / "data"


def test_folders_are_sets_with_everything_below_them(folders):
    dataset = load_dataset(config(folders))
    sets = [name.partition("/")[0] for name in dataset.image_ids]
    assert sets == ["ninco"] * 3 + ["ssb_hard"] * 2
    assert dataset.labels.tolist() == [0, 0, 0, 1, 1]
    assert dataset.read_bytes(1) == (folders / dataset.image_ids[1]).read_bytes()
    assert str(folders) not in dataset.label_space.name  # it is part of a cell's identity


def test_a_folder_of_images_is_one_set(folders):
    dataset = load_dataset(config(folders / "ninco" / "below"))
    assert {name.partition("/")[0] for name in dataset.image_ids} == {"below"}


def test_openoods_lists_give_the_sets_without_a_class(openood):
    dataset = load_dataset(config(openood))
    assert dataset.image_ids == ("ninco/x/1.jpg", "ninco/x/2 of 2.jpg", "textures/texture/banded/1.jpg")
    lists = openood / "benchmark_imglist" / "imagenet"
    named = load_dataset(config(openood / "images_largescale", labels=str(lists)))
    one = load_dataset(config(openood / "images_largescale", labels=str(lists / "val_openimage_o.txt")))
    assert named.image_ids == dataset.image_ids
    assert one.image_ids == ("val_openimage_o/openimage_o/1.jpg",)


def test_a_limit_takes_as_many_images_of_each_set(folders):
    limited = load_dataset(config(folders, limit=4))
    assert np.bincount(limited.labels).tolist() == [2, 2]


def test_decisions_are_made_among_all_classes_or_a_subset(folders):
    assert load_dataset(config(folders), imagenet()).class_ids is None
    assert load_dataset(config(folders), imagenet()).label_space is imagenet()
    subset = load_dataset(config(folders, label_space="imagenet_o"), imagenet())
    assert subset.class_ids == IMAGENET_O
    assert subset.label_space.name == "imagenet_o"
    # by name, where a classifier has the classes in another order
    shuffled = LabelSpace("mine", 1000, imagenet().class_names[::-1])
    reversed_ids = load_dataset(config(folders, label_space="imagenet_o"), shuffled).class_ids
    assert reversed_ids == tuple(999 - number for number in IMAGENET_O)


def test_imagenet_os_classes_are_those_of_the_published_code():
    """The ends of ``imagenet_o_wnids`` in hendrycks/natural-adv-examples, eval_many_models.py."""
    names = [imagenet().class_names[number] for number in IMAGENET_O]
    assert len(names) == 200
    assert names == sorted(names)
    assert names[-6:] == ["n07880968", "n09229709", "n09472597", "n12144580", "n12267677", "n13052670"]


def test_what_cannot_be_used_is_refused(folders, openood, tmp_path):
    with pytest.raises(ConfigurationError, match=r"imagenet_p.* is no subset"):
        check_labels(config(folders, label_space="imagenet_p"), imagenet())
    with pytest.raises(ConfigurationError, match="is no subset"):
        check_labels(config(folders, label_space="imagenet"), imagenet())
    with pytest.raises(ConfigurationError, match="imagenet_o"):
        check_labels(config(folders, label_space="imagenet_o"), CIFAR10)
    with pytest.raises(ConfigurationError, match="no image lists"):
        check_data(config(folders, labels=str(tmp_path / "lists")))
    with pytest.raises(ConfigurationError, match="its images have no class"):
        check_data(config(folders, class_groups="imagenet_9"))
    (folders / "empty").mkdir()
    with pytest.raises(DataError, match="the set empty"):
        load_dataset(config(folders))
    (openood / "images_largescale" / "ninco" / "x" / "1.jpg").unlink()
    with pytest.raises(DataError, match=r"1\.jpg of the set ninco is not there"):
        load_dataset(config(openood))
    ninco = openood / "benchmark_imglist" / "imagenet" / "test_ninco.txt"
    ninco.write_text("ninco/x/1.jpg\n")
    with pytest.raises(DataError, match="expected PATH LABEL"):
        load_dataset(config(openood))
    ninco.write_text("ninco/../../../secret.jpg -1\n")
    with pytest.raises(DataError, match="leads out of the folder"):
        load_dataset(config(openood))


def test_the_sets_that_come_with_packages():
    pytest.importorskip("skimage")
    dataset = load_dataset(DataConfig(source="ood_samples"))
    sets, counts = np.unique([name.partition("/")[0] for name in dataset.image_ids], return_counts=True)
    assert dict(zip(sets.tolist(), counts.tolist(), strict=True)) == {"noise": 6, "photographs": 9, "textures": 3}
    assert dataset.fingerprint == load_dataset(DataConfig(source="ood_samples")).fingerprint
    assert all(dataset.read_bytes(position) for position in range(len(dataset)))
