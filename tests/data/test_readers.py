"""Containers give the very bytes of their files, each image once, with its own label."""

import io
import json
import tarfile

import pytest

from bench.data import CropRecipe, DataConfig, load_dataset, open_crops
from bench.data.label_spaces import imagenet
from bench.errors import ConfigurationError, DataError


def tar_of(path, files):
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def files_below(root):
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in sorted(root.rglob("*.jpg"))}


def contents(dataset):
    return {dataset.read_bytes(position): int(dataset.labels[position]) for position in range(len(dataset))}


def load(root, source="tar", classifier=None, **changes):
    return load_dataset(DataConfig(source=source, root=str(root), **changes), classifier)


def test_a_tar_of_class_folders_is_the_folder(tmp_path, image_folder):
    tar = tar_of(tmp_path / "val.tar", {f"./{name}": data for name, data in files_below(image_folder).items()})
    dataset, folder = load(tar), load(image_folder, "folder")
    assert sorted(dataset.image_ids) == sorted(folder.image_ids)
    assert contents(dataset) == contents(folder)
    recipe = CropRecipe(32, 32, 0.875, "center", "bilinear")
    options = {"cache_dir": tmp_path / "cache", "cache_gb": 1, "on_error": "refuse"}
    assert len({open_crops(dataset, recipe, workers=workers, **options).digest for workers in (0, 2)}) == 1
    assert not list(tmp_path.glob("*.pickle"))


def test_tars_within_a_tar_and_a_folder_of_tars(tmp_path, image_folder):
    expected = contents(load(image_folder, "folder"))
    (tmp_path / "tars").mkdir()
    inner = {}
    for folder in image_folder.iterdir():
        tar = tar_of(tmp_path / "tars" / f"{folder.name}.tar", files_below(folder))
        inner[tar.name] = tar.read_bytes()
    assert contents(load(tar_of(tmp_path / "nested.tar", inner))) == expected
    assert contents(load(tmp_path / "tars")) == expected


def test_a_tar_with_other_names_needs_a_map(tmp_path, sample_files):
    data = sample_files[0].read_bytes()
    tar = tar_of(tmp_path / "c.tar", {"cat/1.jpg": data, "dog/1.jpg": data + b"\0", "dog/._1.jpg": b"mac"})
    with pytest.raises(ConfigurationError, match="class 'cat'"):
        load(tar, classifier=imagenet())
    (tmp_path / "map.csv").write_text("cat,8\ndog,1\n")
    assert load(tar, classifier=imagenet(), class_map=str(tmp_path / "map.csv")).labels.tolist() == [8, 1]


def test_a_cut_tar_and_no_tar_are_refused_in_one_line(tmp_path, image_folder):
    tar = tar_of(tmp_path / "val.tar", files_below(image_folder))
    (tmp_path / "cut.tar").write_bytes(tar.read_bytes()[:300_000])
    (tmp_path / "text.tar").write_text("no tar " * 100)
    (tmp_path / "none.tar").write_bytes(b"")
    for name in ("cut", "text", "none"):
        with pytest.raises((ConfigurationError, DataError)) as refused:
            contents(load(tmp_path / f"{name}.tar"))
        assert "\n" not in str(refused.value)
    with pytest.raises(ConfigurationError, match=r"did you mean 'val\.tar'"):
        load(tmp_path / "vall.tar")


def test_a_tar_that_holds_an_image_twice_is_refused(tmp_path, sample_files):
    with tarfile.open(tmp_path / "twice.tar", "w") as tar:
        for _ in range(2):
            tar.add(sample_files[0], "0/a.jpg")
    with pytest.raises(DataError, match=r"'0/a\.jpg' twice"):
        load(tmp_path / "twice.tar")


def test_hugging_face_images_keep_their_bytes(tmp_path, sample_files):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=["dog", "cat"]))
    rows = {"image": [{"bytes": f.read_bytes(), "path": None} for f in sample_files[:3]], "label": [0, 1, 1]}
    folder = tmp_path / "rows"
    folder.mkdir()
    datasets.Dataset.from_dict(rows, features=features).to_parquet(folder / "validation.parquet")
    dataset = load(folder, "huggingface")
    assert contents(dataset) == dict(zip([f.read_bytes() for f in sample_files[:3]], [0, 1, 1], strict=True))
    assert load(folder, "huggingface").fingerprint == dataset.fingerprint
    (tmp_path / "map.json").write_text('{"dog": 207, "cat": 281}')
    class_map = str(tmp_path / "map.json")
    mapped = load(folder, "huggingface", imagenet(), class_map=class_map)
    assert mapped.labels.tolist() == [207, 281, 281]
    with pytest.raises(ConfigurationError, match=r"has no Parquet file of the split|no split"):
        load(folder, "huggingface", split="tests")


def test_webdataset_shards_lose_no_sample(tmp_path, sample_files):
    shards = {"val-0000.tar": sample_files[:2], "val-0001.tar": sample_files[2:5]}
    for name, files in shards.items():
        members = {}
        for file in files:
            members |= {f"{file.stem}.jpg": file.read_bytes(), f"{file.stem}.cls": file.stem.split("_")[2].encode()}
        tar_of(tmp_path / name, members)
    split = {"name": "validation", "num_samples": 5, "filenames": list(shards), "shard_lengths": [2, 3]}
    (tmp_path / "_info.json").write_text(json.dumps({"splits": {"validation": split}}))
    expected = {file.read_bytes(): int(file.stem.split("_")[2]) for file in sample_files[:5]}
    assert contents(load(tmp_path, "webdataset", imagenet(), label_space="columns")) == expected
    shards = load(tmp_path, "webdataset", imagenet(), label_space="columns", split="val-{0000..0001}.tar")
    assert contents(shards) == expected
    with pytest.raises(ConfigurationError, match="has no split 'test'"):
        load(tmp_path, "webdataset", split="test")
    with pytest.raises(ConfigurationError, match="outside the folder"):
        load(tmp_path, "webdataset", split="../val-{0000..0001}.tar")
    tar_of(tmp_path / "val-0001.tar", {"x.jpg": sample_files[0].read_bytes()})
    with pytest.raises(DataError, match="'x' has no label"):
        load(tmp_path, "webdataset")


def test_tfds_images_keep_their_bytes(tmp_path, sample_files):
    tfds = pytest.importorskip("tensorflow_datasets")
    labels = [1, 0, 1]
    rows = [{"image": str(file), "label": label} for file, label in zip(sample_files[:3], labels, strict=True)]
    features = tfds.features.FeaturesDict(
        {"image": tfds.features.Image(shape=(None, None, 3)), "label": tfds.features.ClassLabel(names=["dog", "cat"])}
    )
    tfds.dataset_builders.store_as_tfds_dataset(
        name="three",
        version="1.0.0",
        features=features,
        split_datasets={"validation": list(enumerate(rows))},
        data_dir=tmp_path,
        disable_shuffling=True,
    )
    dataset = load(tmp_path, "tfds", dataset="three")
    assert contents(dataset) == dict(zip([f.read_bytes() for f in sample_files[:3]], labels, strict=True))
    with pytest.raises(ConfigurationError, match="tfds reader cannot load"):
        load(tmp_path, "tfds", dataset="four")
