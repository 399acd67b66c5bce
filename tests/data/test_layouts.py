"""Every layout that people have their images in: recognised by itself, with the same bytes and labels."""

import io
import json
import logging
import pickle
import shutil
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from scipy.io import savemat

from bench.data import DataConfig, check_data, check_labels, load_dataset
from bench.data.label_spaces import CIFAR100, imagenet, read_class_map
from bench.data.sources.detect import resolved
from bench.errors import ConfigurationError, DataError

WNIDS = imagenet().class_names


def auto(root, **changes):
    return DataConfig(source="auto", root=str(root), **changes)


def columns(dataset):
    """Bytes of each image -> its logit column."""
    return {dataset.read_bytes(position): int(dataset.labels[position]) for position in range(len(dataset))}


@pytest.fixture
def expected(sample_files):
    """Bytes of the sample images -> the class number in their file name."""
    return {file.read_bytes(): int(file.stem.split("_")[2]) for file in sample_files}


@pytest.fixture
def flat(tmp_path, sample_files):
    """The samples as ILSVRC2012's first validation images."""
    folder = tmp_path / "val"
    folder.mkdir()
    for number, file in enumerate(sample_files, start=1):
        shutil.copy(file, folder / f"ILSVRC2012_val_{number:08d}.JPEG")
    return folder


def labels_of(sample_files):
    return [int(file.stem.split("_")[2]) for file in sample_files]


def kaggle(folder, labels):
    rows = [f"ILSVRC2012_val_{n:08d},{WNIDS[label]} 1 2 3 4 " for n, label in reversed([*enumerate(labels, start=1)])]
    (folder.parent / "LOC_val_solution.csv").write_text("\n".join(["ImageId,PredictionString", *rows]))


def devkit(folder, labels):
    """The kit's own numbers: here the classes in reverse."""
    place = folder.parent / "ILSVRC2012_devkit_t12" / "data"
    place.mkdir(parents=True)
    synsets = np.array(
        [(1000 - k, wnid) for k, wnid in enumerate(WNIDS)], dtype=[("ILSVRC2012_ID", "i4"), ("WNID", "O")]
    )
    savemat(place / "meta.mat", {"synsets": synsets})
    (place / "ILSVRC2012_validation_ground_truth.txt").write_text("".join(f"{1000 - label}\n" for label in labels))


def synset_list(folder, labels):
    text = "".join(f"{WNIDS[label]}\n" for label in labels)
    (folder / "imagenet_2012_validation_synset_labels.txt").write_text(text)


def caffe(folder, labels):
    text = "".join(f"ILSVRC2012_val_{number:08d}.JPEG {label}\n" for number, label in enumerate(labels, start=1))
    (folder.parent / "val.txt").write_text(text)


@pytest.mark.parametrize("write", [kaggle, devkit, synset_list, caffe])
def test_imagenet_as_downloaded(write, flat, sample_files, expected, caplog):
    write(flat, labels_of(sample_files))
    with caplog.at_level(logging.INFO):
        dataset = load_dataset(auto(flat), imagenet())
    assert columns(dataset) == expected
    assert dataset.image_ids[0] == "ILSVRC2012_val_00000001.JPEG"
    assert "data.source=flat_imagenet" in caplog.text


def test_imagenet_without_labels_says_which_files_would_do(flat, sample_files):
    with pytest.raises(ConfigurationError, match=r"data\.labels=FILE to Kaggle's LOC_val_solution\.csv"):
        check_data(auto(flat))
    devkit(flat, labels_of(sample_files))
    (flat.parent / "ILSVRC2012_devkit_t12" / "data" / "meta.mat").unlink()
    with pytest.raises(ConfigurationError, match=r"meta\.mat must lie beside it"):
        check_data(auto(flat))
    short = flat.parent / "short.txt"
    short.write_text(f"{WNIDS[0]}\n")
    with pytest.raises(DataError, match=r"val_00000002\.JPEG has no label"):
        check_labels(auto(flat, labels=str(short)), imagenet())
    short.write_text("n00000000\n")
    with pytest.raises(ConfigurationError, match="n00000000"):
        check_data(auto(flat, labels=str(short)))


@pytest.mark.parametrize(
    ("head", "separator", "mark"),
    [("path,label", ",", ""), ("", ",", ""), ("label;file;group", ";", "\ufeff"), ("", "\t", "")],
)
def test_a_list_of_paths_and_labels(head, separator, mark, tmp_path, sample_files, expected):
    lines = [head] if head else []
    for file in sample_files:
        shutil.copy(file, tmp_path / file.name)
        row = [file.name, WNIDS[expected[file.read_bytes()]]]
        lines.append(separator.join([*reversed(row), "day"] if head.startswith("label") else row))
    (tmp_path / "list.csv").write_text(mark + "\n".join(lines) + "\n\n")
    dataset = load_dataset(auto(tmp_path / "list.csv"), imagenet())
    assert columns(dataset) == expected
    assert dataset.image_ids == tuple(file.name for file in sample_files)


def test_a_parquet_list(tmp_path, sample_files, expected):
    names = [WNIDS[label] for label in expected.values()]
    for file in sample_files:
        shutil.copy(file, tmp_path / file.name)
    pq.write_table(pa.table({"path": [f.name for f in sample_files], "label": names}), tmp_path / "list.parquet")
    assert columns(load_dataset(auto(tmp_path / "list.parquet"), imagenet())) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,name\na.jpg,1\n", "one of labels"),
        ("path,label\n", "lists no images"),
        ("path,label\na.jpg,\n", "image 1: no path or no label"),
        ("path,label\nnone.jpg,1\n", r"none\.jpg is not there"),
    ],
)
def test_a_list_that_is_wrong_is_refused(text, message, tmp_path):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises((ConfigurationError, DataError), match=message):
        load_dataset(DataConfig(source="list", root=str(tmp_path / "list.csv")))


def rows_of(n, side=32):
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def decoded(dataset):
    return np.stack([np.asarray(Image.open(io.BytesIO(dataset.read_bytes(i)))) for i in range(len(dataset))])


@pytest.mark.parametrize("layout", ["npz", "folder", "two files", "channels first"])
def test_arrays(layout, tmp_path):
    images, labels = rows_of(6), np.array([0, 1, 2, 0, 1, 2])
    stored = images.transpose(0, 3, 1, 2) if layout == "channels first" else images
    root, changes = tmp_path / "set.npz", {}
    if layout in ("npz", "channels first"):
        np.savez(root, images=stored, labels=labels)
    else:
        np.save(tmp_path / "images.npy", stored)
        np.save(tmp_path / "labels.npy", labels)
        root = tmp_path
    if layout == "two files":
        root, changes = tmp_path / "images.npy", {"labels": str(tmp_path / "labels.npy")}
    dataset = load_dataset(auto(root, label_space="columns", **changes))
    assert np.array_equal(decoded(dataset), images)
    assert dataset.labels.tolist() == labels.tolist()


def test_arrays_are_never_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (exec, ("raise SystemExit('unpickled')",))

    np.save(tmp_path / "images.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    np.save(tmp_path / "labels.npy", np.array([0]))
    with pytest.raises(DataError, match="cannot be read as NumPy arrays"):
        load_dataset(auto(tmp_path))
    np.savez(tmp_path / "floats.npz", images=rows_of(2) / 255.0, labels=np.array([0, 1]))
    with pytest.raises(DataError, match="images are uint8"):
        load_dataset(auto(tmp_path / "floats.npz"))


@pytest.mark.parametrize(
    ("source", "folder", "n_labels"), [("cifar10", "cifar-10-batches-bin", 1), ("cifar100", "cifar-100-binary", 2)]
)
def test_the_binary_version_of_cifar(source, folder, n_labels, tmp_path):
    images, labels = rows_of(10), np.arange(10, dtype=np.uint8)
    coarse = np.full((10, n_labels - 1), 19, dtype=np.uint8)
    records = np.concatenate([coarse, labels[:, None], images.transpose(0, 3, 1, 2).reshape(10, -1)], axis=1)
    place = tmp_path / folder
    place.mkdir()
    file = place / ("test_batch.bin" if n_labels == 1 else "test.bin")
    file.write_bytes(records.tobytes())
    for root in (tmp_path, place):
        assert resolved(auto(root)).source == source
        dataset = load_dataset(auto(root))
        assert np.array_equal(decoded(dataset), images)
        assert dataset.label_space.name == source
        assert dataset.labels.tolist() == list(range(10))
    file.write_bytes(records.tobytes()[:-1])
    with pytest.raises(ConfigurationError, match="no multiple of"):
        load_dataset(auto(tmp_path))
    file.unlink()
    with pytest.raises(ConfigurationError, match=f"has no {file.name}"):
        check_labels(auto(tmp_path), CIFAR100)


def test_python_batches_of_cifar100_that_were_changed_are_never_unpickled(tmp_path):
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    for name in ("train", "test", "meta"):
        (folder / name).write_bytes(pickle.dumps({}))
    with pytest.raises(ConfigurationError, match="not the published CIFAR-100"):
        load_dataset(auto(folder))


def test_cifar100_has_its_hundred_classes_in_alphabetical_order():
    names = CIFAR100.class_names
    assert len(set(names)) == 100
    assert list(names) == sorted(names)
    assert names[0] == "apple"
    assert names[99] == "worm"


def test_hugging_face_sets_that_were_saved_to_disk(tmp_path, sample_files, expected):
    datasets = pytest.importorskip("datasets")
    names = sorted({WNIDS[label] for label in expected.values()})
    features = datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=names))
    rows = {
        "image": [{"bytes": content, "path": None} for content in expected],
        "label": [names.index(WNIDS[label]) for label in expected.values()],
    }
    whole = datasets.Dataset.from_dict(rows, features=features)
    whole.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"validation": whole, "train": whole.select([0])}).save_to_disk(tmp_path / "splits")
    (tmp_path / "shards").mkdir()
    whole.to_parquet(tmp_path / "shards" / "validation-00000-of-00001.parquet")
    for root in (tmp_path / "one", tmp_path / "splits", tmp_path / "shards"):
        assert resolved(auto(root)).source == "huggingface"
        assert columns(load_dataset(auto(root), imagenet())) == expected
    assert len(load_dataset(auto(tmp_path / "splits", split="train"))) == 1
    with pytest.raises(ConfigurationError, match=r"cannot load .*split=test"):
        load_dataset(auto(tmp_path / "splits", split="test"))
    assert {path.name for path in (tmp_path / "shards").iterdir()} == {"validation-00000-of-00001.parquet"}


def tar_of(path, files):
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def test_shards_and_tars_are_told_apart_by_their_members(tmp_path, expected):
    (tmp_path / "shards").mkdir()
    members = {}
    for number, (content, label) in enumerate(expected.items()):
        members |= {f"{number}.jpg": content, f"{number}.json": json.dumps({"label": label}).encode()}
    tar_of(tmp_path / "shards" / "a-0.tar", members)
    assert resolved(auto(tmp_path / "shards")).source == "webdataset"
    assert columns(load_dataset(auto(tmp_path / "shards", label_space="columns"), imagenet())) == expected
    tar_of(tmp_path / "classes.tar", {f"{WNIDS[label]}/{label}.jpg": content for content, label in expected.items()})
    assert resolved(auto(tmp_path / "classes.tar")).source == "tar"
    with tarfile.open(tmp_path / "classes.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "classes.tar", "classes.tar")
    with pytest.raises(ConfigurationError, match="is compressed"):
        check_data(auto(tmp_path / "classes.tar.gz"))


def test_what_cannot_be_recognised_says_what_is_known(tmp_path, sample_files):
    (tmp_path / "images").mkdir()
    with pytest.raises(ConfigurationError, match=r"nothing at data\.root=.*; did you mean 'images'"):
        check_data(auto(tmp_path / "image"))
    with pytest.raises(ConfigurationError, match="none of the layouts that are known: class folders"):
        check_data(auto(tmp_path / "images"))
    shutil.copy(sample_files[0], tmp_path / "images")
    other = tmp_path / "others"
    shutil.copytree(tmp_path / "images", other)
    with pytest.raises(ConfigurationError, match="no file of labels: list path,label in a CSV file"):
        check_data(auto(other))


@pytest.mark.parametrize(
    "text",
    [
        "cat,281\ndog,207\n",
        "name,column\ncat,281\ndog,207\n",
        "\ufeffcat;281\n\ndog;207\n\n",
        "class;number\ncat; 281\ndog; 207",
    ],
)
def test_class_maps_as_people_write_them(text, tmp_path):
    (tmp_path / "map.csv").write_text(text, encoding="utf-8")
    assert read_class_map(str(tmp_path / "map.csv")) == {"cat": 281, "dog": 207}


def test_fifty_thousand_files_are_listed_from_names_alone(tmp_path):
    """As many as ImageNet's validation set has; no file is opened."""
    folder = tmp_path / "val"
    folder.mkdir()
    for number in range(1, 50_001):
        (folder / f"ILSVRC2012_val_{number:08d}.JPEG").touch()
    synset_list(folder, [number % 1000 for number in range(50_000)])
    dataset = load_dataset(auto(folder), imagenet())
    assert len(dataset) == 50_000
    assert np.bincount(dataset.labels).tolist() == [50] * 1000
