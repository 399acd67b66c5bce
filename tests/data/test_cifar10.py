"""CIFAR-10 in its three forms gives the same images, and nothing but the published pickles is opened."""

import hashlib
import io
import pickle
import tarfile

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import CIFAR10

from bench.data import DataConfig, check_data, load_dataset
from bench.data.label_spaces import CIFAR10 as CIFAR10_SPACE
from bench.errors import ConfigurationError

NAMES = CIFAR10_SPACE.class_names


def config(root, **changes):
    return DataConfig(**{"source": "cifar10", "root": str(root), "split": "test", "label_space": "cifar10", **changes})


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def batches(tmp_path, pixels, monkeypatch):
    """Ten rows in the published layout, with torchvision told their checksums."""
    folder = tmp_path / "batches" / CIFAR10.base_folder
    folder.mkdir(parents=True)
    files = {
        "test_batch": {"data": pixels.transpose(0, 3, 1, 2).reshape(10, -1), "labels": list(range(10))},
        "batches.meta": {"label_names": list(NAMES)},
    }
    sums = {}
    for name, content in files.items():
        (folder / name).write_bytes(pickle.dumps(content))
        sums[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(CIFAR10, "train_list", [])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(
        CIFAR10, "meta", {"filename": "batches.meta", "key": "label_names", "md5": sums["batches.meta"]}
    )
    return folder


def decoded(dataset):
    return np.stack([np.asarray(Image.open(io.BytesIO(dataset.read_bytes(i)))) for i in range(len(dataset))])


def png(row):
    stream = io.BytesIO()
    Image.fromarray(row).save(stream, "PNG")
    return stream.getvalue()


def test_python_batches(batches, pixels):
    for root in (batches, batches.parent):
        dataset = load_dataset(config(root), CIFAR10_SPACE)
        assert np.array_equal(decoded(dataset), pixels)
        assert dataset.labels.tolist() == list(range(10))
        assert dataset.image_ids[3] == "test/00000003"


def test_class_folders_and_a_tar_of_them(tmp_path, pixels):
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        for row, name in zip(pixels, NAMES, strict=True):
            (tmp_path / "set" / name).mkdir(parents=True)
            (tmp_path / "set" / name / "a.png").write_bytes(png(row))
            tar.add(tmp_path / "set" / name / "a.png", f"{name}/a.png")
    for root in (tmp_path / "set", tmp_path / "set.tar"):
        dataset = load_dataset(config(root), CIFAR10_SPACE)
        assert np.array_equal(decoded(dataset), pixels)
        assert dataset.labels.tolist() == list(range(10))


def test_other_batches_are_never_unpickled(batches):
    (batches / "test_batch").write_bytes(b"cos\nsystem\n(S'touch /tmp/owned'\ntR.")
    with pytest.raises(ConfigurationError, match="not the published CIFAR-10"):
        load_dataset(config(batches), CIFAR10_SPACE)


def test_what_is_not_there_is_refused_before_any_work(tmp_path):
    with pytest.raises(ConfigurationError, match="no folder at"):
        check_data(config(tmp_path / "cifar"))
    with pytest.raises(ConfigurationError, match=r"no split 'tests'.*test"):
        check_data(config(tmp_path, split="tests"))
    (tmp_path / "set" / "plane").mkdir(parents=True)
    (tmp_path / "set" / "plane" / "a.png").write_bytes(b"x")
    with pytest.raises(ConfigurationError, match=r"'plane'.*airplane"):
        load_dataset(config(tmp_path / "set"), CIFAR10_SPACE)


def test_the_map_is_torchvisions():
    assert list(NAMES) == [
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    ]  # fmt: skip
