"""Images that cannot be used are refused before any work, whatever holds them, and no image is read for it."""

import io
import tarfile

import pytest
from torchvision.datasets import CIFAR10

from bench.data import DataConfig, check_data, check_labels
from bench.data.label_spaces import LabelSpace
from bench.data.sources import tar as tar_source
from bench.errors import ConfigurationError, DataError

PETS = LabelSpace("pets", 2, ("cat", "dog"))


def check(**config):
    config = DataConfig(**config)
    check_data(config)
    check_labels(config, PETS)


def folder(root, *names, empty=()):
    for name in (*names, *empty):
        (root / name).mkdir(parents=True)
    for name in names:
        (root / name / "a.jpg").write_text("no picture: nothing here may be decoded")
    return str(root)


def tar_of(path, *names):
    with tarfile.open(path, "w") as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    return str(path)


def test_whatever_fits_passes(tmp_path):
    check(source="folder", root=folder(tmp_path / "images", "cat", "dog"))
    check(source="tar", root=tar_of(tmp_path / "images.tar", "cat/a.jpg", "dog/b.jpg"))


@pytest.mark.parametrize("source", ["folder", "cifar10"])
@pytest.mark.parametrize("name", ["cow", "10"])
def test_classes_of_a_folder_that_the_classifier_does_not_have(tmp_path, source, name):
    root = folder(tmp_path / "images", "cat", name)
    with pytest.raises(ConfigurationError, match=name):
        check(source=source, root=root, split="test")


@pytest.mark.parametrize("source", ["tar", "cifar10"])
def test_classes_of_a_tar_that_the_classifier_does_not_have(tmp_path, source):
    root = tar_of(tmp_path / "images.tar", "cat/a.jpg", "cow/b.jpg")
    with pytest.raises(ConfigurationError, match="cow"):
        check(source=source, root=root, split="test")


def test_classes_of_a_hugging_face_set_that_the_classifier_does_not_have(tmp_path, monkeypatch):
    pytest.importorskip("datasets")
    images = folder(tmp_path / "set", "cat", "cow")
    with pytest.raises(ConfigurationError, match="cow"):
        check(source="huggingface", dataset=images, split="train")


def test_shards_without_labels(tmp_path):
    tar_of(tmp_path / "val-0000.tar", "a.jpg")
    with pytest.raises(DataError, match="sample 'a' has no label"):
        check(source="webdataset", root=str(tmp_path), split="val-{0000..0000}.tar")


def test_categories_that_are_none_of_the_16(tmp_path):
    with pytest.raises(ConfigurationError, match="cow"):
        check(source="categories", root=folder(tmp_path / "images", "cat", "cow"))


@pytest.mark.parametrize("source", ["folder", "cifar10", "categories"])
def test_empty_class_folders(tmp_path, source):
    with pytest.raises(DataError, match=r"class folder .*/dog has no images"):
        check(source=source, root=folder(tmp_path / "images", "cat", empty=("dog",)), split="test")


def test_batches_of_cifar_10_that_are_not_all_there(tmp_path):
    (tmp_path / CIFAR10.base_folder).mkdir()
    with pytest.raises(ConfigurationError, match="it has no data_batch_1"):
        check(source="cifar10", root=str(tmp_path), split="test")


def test_a_tar_is_listed_once_for_all_jobs_and_anew_when_it_changes(tmp_path, monkeypatch):
    listed = []
    load = tar_source.load_tar
    monkeypatch.setattr(tar_source, "load_tar", lambda *args: listed.append(args) or load(*args))
    root = tar_of(tmp_path / "images.tar", "cat/a.jpg")
    for _ in range(3):
        check(source="tar", root=root)
    assert len(listed) == 1
    tar_of(tmp_path / "images.tar", *[f"cow/{number}.jpg" for number in range(30)])
    with pytest.raises(ConfigurationError, match="cow"):
        check(source="tar", root=root)
