"""Every data source: registered, recognised, digested, cropped, run, resumed and reported, with real images."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

import bench
from bench.conf_files import CONF
from bench.data import DataConfig, load_dataset
from bench.data.label_spaces import CIFAR10, CIFAR100, imagenet
from bench.data.sources import SOURCES
from bench.data.sources.detect import resolved

WNIDS = imagenet().class_names


def folder(root, images):
    for number, (data, label) in enumerate(images):
        place = root / WNIDS[label]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.jpg").write_bytes(data)
    return root


def variants(root, images):
    folder(root / "near", images[:2])
    folder(root / "far" / "val", images[2:])
    return root


def flat_imagenet(root, images):
    root.mkdir()
    for number, (data, _) in enumerate(images, start=1):
        (root / f"ILSVRC2012_val_{number:08d}.JPEG").write_bytes(data)
    rows = [f"ILSVRC2012_val_{number:08d},{WNIDS[label]} 1 2 3 4" for number, (_, label) in enumerate(images, start=1)]
    (root / "LOC_val_solution.csv").write_text("\n".join(["ImageId,PredictionString", *rows]))
    return root


def listing(root, images):
    root.mkdir()
    rows = ["path,label"]
    for number, (data, label) in enumerate(images):
        (root / f"{number}.jpg").write_bytes(data)
        rows.append(f"{number}.jpg,{WNIDS[label]}")
    (root / "list.csv").write_text("\n".join(rows))
    return root / "list.csv"


def tar(root, images):
    folder(root / "images", images)
    with tarfile.open(root / "images.tar", "w") as file:
        file.add(root / "images", ".")
    return root / "images.tar"


def webdataset(root, images):
    root.mkdir()
    with tarfile.open(root / "shard-0.tar", "w") as file:
        for number, (data, label) in enumerate(images):
            for suffix, content in ((".jpg", data), (".cls", str(label).encode())):
                member = tarfile.TarInfo(f"{number}{suffix}")
                member.size = len(content)
                file.addfile(member, io.BytesIO(content))
    return root


def huggingface(root, images):
    datasets = pytest.importorskip("datasets")
    names = sorted({WNIDS[label] for _, label in images})
    rows = {
        "image": [{"bytes": data, "path": None} for data, _ in images],
        "label": [names.index(WNIDS[label]) for _, label in images],
    }
    features = datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=names))
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(root)
    return root


def small(images, classes):
    """The photographs at 32 x 32 pixels, with labels of a smaller label space."""
    pixels = [np.asarray(Image.open(io.BytesIO(data)).convert("RGB").resize((32, 32))) for data, _ in images]
    return np.stack(pixels), np.array([label % classes for _, label in images], dtype=np.uint8)


def arrays(root, images):
    root.mkdir()
    pixels, labels = small(images, 10)
    np.savez(root / "set.npz", images=pixels, labels=labels)
    return root / "set.npz"


def cifar(name, folder_name, file, n_labels):
    def write(root, images):
        pixels, labels = small(images, 10 if n_labels == 1 else 100)
        coarse = np.zeros((len(labels), n_labels - 1), dtype=np.uint8)
        records = np.concatenate([coarse, labels[:, None], pixels.transpose(0, 3, 1, 2).reshape(len(labels), -1)], 1)
        (root / folder_name).mkdir(parents=True)
        (root / folder_name / file).write_bytes(records.tobytes())
        return root

    return name, write


CASES = {
    "folder": (folder, imagenet()),
    "variants": (variants, imagenet()),
    "flat_imagenet": (flat_imagenet, imagenet()),
    "list": (listing, imagenet()),
    "tar": (tar, imagenet()),
    "webdataset": (webdataset, imagenet()),
    "huggingface": (huggingface, imagenet()),
    "arrays": (arrays, CIFAR10),
    "cifar10": (cifar("cifar10", "cifar-10-batches-bin", "test_batch.bin", 1)[1], CIFAR10),
    "cifar100": (cifar("cifar100", "cifar-100-binary", "test.bin", 2)[1], CIFAR100),
}
NAMED = {"variants"}
"""Not found out: folders of class folders may be splits of class folders too, so that ``data.source`` names them."""
ELSEWHERE = {"samples", "tfds", "categories", "cue_conflict_samples", "unlabelled", "ood_samples"}
"""Without a folder of the user's, with a package that is not installed, or labelled with the 16 categories or no class:
their tests are tests/tasks/test_packaged_models.py, tests/data/test_readers.py, test_unlabelled.py and
tests/benchmarks."""


@pytest.fixture
def images(sample_files):
    return [(file.read_bytes(), int(file.stem.split("_")[2])) for file in sample_files[:4]]


def changed(images):
    """The same images, the last of them mirrored."""
    mirrored = io.BytesIO()
    Image.open(io.BytesIO(images[-1][0])).convert("RGB").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(
        mirrored, "JPEG", quality=95
    )
    return [*images[:-1], (mirrored.getvalue(), images[-1][1])]


def network(classes):
    return nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, classes))


def test_every_source_has_a_case_and_a_yaml():
    assert set(CASES) | ELSEWHERE == set(SOURCES)
    assert {path.stem for path in (CONF / "data").glob("*.yaml")} >= set(SOURCES)


@pytest.mark.parametrize("name", CASES)
def test_a_source_is_found_out_and_its_digest_is_of_the_images(name, tmp_path, images):
    write, space = CASES[name]
    roots = [
        write(tmp_path / place, content)
        for place, content in zip("abc", (images, images, changed(images)), strict=True)
    ]
    configs = [
        DataConfig(source=_source(name), root=str(root), name="mine", label_space=_labels(name)) for root in roots
    ]
    assert {resolved(config).source for config in configs} == {name}
    first, same, other = (load_dataset(config, space) for config in configs)
    assert first.labels.tolist() == [label % space.n_classes for _, label in images] or sorted(
        first.labels.tolist()
    ) == sorted(label for _, label in images)
    assert len(set(first.image_ids)) == len(images)
    digests = [_digest(dataset, tmp_path / f"cache{number}") for number, dataset in enumerate((first, same, other))]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("name", CASES)
def test_a_source_is_run_resumed_and_reported(name, tmp_path, images, caplog):
    write, space = CASES[name]
    root = write(tmp_path / "images", images)
    settings = {"input_size": 32, "threads": 1, "cache_dir": str(tmp_path / "cache"), "store": str(tmp_path / "runs")}
    settings["class_names"] = list(space.class_names)
    model = network(space.n_classes)
    data = DataConfig(source=_source(name), root=str(root), label_space=_labels(name))
    caplog.set_level("INFO")
    first = bench.evaluate(model, data, "clean", **settings)
    caplog.clear()
    again = bench.evaluate(model, data, "clean", **settings)
    assert "1 cells, 1 already in" in caplog.text
    assert len(first.outcomes("clean")) == len(images)
    assert again.leaderboard()["n_images"].tolist() == [len(images)]
    again.report(tmp_path / "reports")
    page = (Path(tmp_path / "reports") / "leaderboard.html").read_text()
    assert again.outcomes("clean")["dataset"].iloc[0] in page


def _source(name):
    return name if name in NAMED else "auto"


def _labels(name):
    return "columns" if name in ("arrays", "webdataset") else None


def _digest(dataset, cache):
    from bench.configs import RuntimeConfig
    from bench.data.crop import CropRecipe
    from bench.sweep.images import open_images

    crops = open_images(
        dataset,
        CropRecipe(32, 32, 0.875, "center", "bilinear"),
        RuntimeConfig(cache_dir=str(cache)),
        dataset.label_space,
    )
    assert crops.read(range(len(dataset))).shape == (len(dataset), 3, 32, 32)
    return crops.digest
