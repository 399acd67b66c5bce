"""The published arrays of CIFAR-10-C: read back what the transcription wrote, and refuse what is not as published."""

from types import SimpleNamespace

import cifar10_c_oracle as oracle
import numpy as np
import pytest
import torch

from bench.benchmarks import Batch
from bench.benchmarks.corruption import Corruption
from bench.benchmarks.protocol import CIFAR_10_C_CROP
from bench.corruptions.arrays import check_arrays, read_corrupted_array, rows_of_images
from bench.data.label_spaces import CIFAR10
from bench.data.sources.rows import rows_dataset
from bench.errors import ConfigurationError, DataError
from bench.records import Condition

NAMES = ("contrast", "jpeg_compression")
CONDITIONS = [Condition(name, float(severity)) for name in NAMES for severity in (1, 5)]
LABELS = np.array([3, 8, 8, 0, 6, 6])
IDS = [f"test/{row:08d}" for row in range(6)]


@pytest.fixture
def images(thumbnails):
    return thumbnails[:6]


@pytest.fixture
def root(tmp_path, images):
    oracle.write_arrays(tmp_path, images.permute(0, 2, 3, 1).numpy(), LABELS, NAMES)
    return tmp_path


def test_written_arrays_are_read_back(root, images):
    check_arrays(root, CONDITIONS)
    for condition in CONDITIONS:
        rows = rows_of_images(root, [IDS[4], IDS[0]], LABELS[[4, 0]])
        read = read_corrupted_array(root, rows, condition)
        severity = int(condition.strength)
        made = oracle.corrupt(images[[4, 0]].permute(0, 2, 3, 1).numpy(), condition.name, severity, [4, 0])
        assert read.dtype == torch.uint8
        assert np.array_equal(read.permute(0, 2, 3, 1).numpy(), made)


def test_the_benchmark_shows_the_arrays_as_they_are_or_makes_the_same(root, images, tmp_path):
    crops = SimpleNamespace(image_ids=np.array(IDS), labels=LABELS, read=lambda positions: images[list(positions)])
    files = Corruption(corruptions=NAMES, source="files", root=str(root)).prepared(CIFAR_10_C_CROP, tmp_path)
    made = Corruption(corruptions=NAMES).prepared(CIFAR_10_C_CROP, tmp_path)
    assert files.parameters()["definition"] == made.parameters()["definition"] == "cifar10_c"
    shown = []
    for benchmark in (files, made):
        read = benchmark.read(crops, range(6), CONDITIONS[1], seed=0).images
        batch = Batch(read, torch.as_tensor(LABELS), crops.image_ids, condition=CONDITIONS[1], input_size=(32, 32))
        shown.append(benchmark.shown(batch, CONDITIONS[1], seed=0))
    assert torch.equal(*shown)


def test_severities_follow_each_other_as_published(tmp_path):
    """10,000 rows per severity: the first bytes say which row it is, without a byte of the rest on disk."""
    array = np.lib.format.open_memmap(tmp_path / "fog.npy", "w+", np.uint8, (50_000, 32, 32, 3))
    for row in (0, 9_999, 10_000, 40_000, 49_999):
        array[row, 0, 0] = [row // 10_000, row % 10_000 // 100, row % 100]
    array.flush()
    for severity, row in ((1, 0), (1, 9_999), (2, 0), (5, 0), (5, 9_999)):
        read = read_corrupted_array(tmp_path, np.array([row]), Condition("fog", severity))
        assert read[0, :, 0, 0].tolist() == [severity - 1, row // 100, row % 100]
    with pytest.raises(DataError, match="no row 10000"):
        read_corrupted_array(tmp_path, np.array([10_000]), Condition("fog", 1))


def test_everything_wrong_is_named_at_once(root):
    np.save(root / "contrast.npy", np.zeros((30, 32, 32), np.float32))
    np.save(root / "frost.npy", np.zeros((25, 32, 32, 3), np.uint8))
    (root / "snow.npy").write_bytes(b"not an array")
    np.save(root / "spatter.npy", np.array([{}]), allow_pickle=True)
    (root / "zoom_blur.npy").write_bytes((root / "jpeg_compression.npy").read_bytes()[:-1])
    names = ("contrast", "fog", "frost", "pixelate", "snow", "spatter", "zoom_blur")
    with pytest.raises(ConfigurationError) as caught:
        check_arrays(root, [Condition(name, 1.0) for name in names])
    message = str(caught.value)
    assert "\n" not in message
    assert "fog.npy, pixelate.npy missing" in message
    assert "contrast.npy is float32 of shape (30, 32, 32)" in message
    assert "unequal numbers of rows: 25 in frost.npy; 30 in labels.npy" in message
    for name in ("snow", "spatter", "zoom_blur"):
        assert f"{name}.npy cannot be read" in message
    with pytest.raises(ConfigurationError, match="root=FOLDER"):
        check_arrays(root / "nowhere", CONDITIONS)


def test_labels_have_to_repeat(root):
    np.save(root / "labels.npy", np.arange(30))
    with pytest.raises(ConfigurationError, match="not hold the same labels for all 5 severities"):
        check_arrays(root, CONDITIONS)


@pytest.mark.parametrize(
    ("image_id", "row"),
    [("test/00000004", 4), ("cat/test_00004.png", 4), ("set/cat/test-4.jpg", 4), ("test_4", 4)],
)
def test_names_that_say_their_place(root, image_id, row):
    assert rows_of_images(root, [image_id], LABELS[[row]]).tolist() == [row]


@pytest.mark.parametrize(
    "image_id", ["train/00000004", "cat/0004.jpg", "test/cat/0004.jpg", "latest_4.png", "test_4/a.png"]
)
def test_names_that_do_not(root, image_id):
    with pytest.raises(DataError, match="does not say its place"):
        rows_of_images(root, [image_id], LABELS[[4]])


def test_rows_are_never_guessed(root):
    with pytest.raises(DataError, match=r"2 of 6 labels are not those of .*'test/00000003' has label 1, row 3 has 0"):
        rows_of_images(root, IDS, np.array([3, 8, 8, 1, 7, 6]))
    with pytest.raises(DataError, match=r"'test/00000006' is not among the 6 images"):
        rows_of_images(root, ["test/00000000", "test/00000006"], np.array([3, 3]))
    with pytest.raises(DataError, match=r"'test/1' and 'cat/test_01.png' name the same place"):
        rows_of_images(root, ["test/0", "test/1", "cat/test_01.png"], np.array([3, 8, 8]))


def test_a_balanced_subset_of_the_python_batches_finds_its_rows(root):
    """The names survive ``data.limit``, whatever it leaves out."""
    dataset = rows_dataset("cifar10", "test", np.zeros((6, 32, 32, 3), np.uint8), LABELS, CIFAR10)
    subset = dataset.subset(np.array([1, 3, 5]), "limit")
    assert rows_of_images(root, subset.image_ids, subset.labels).tolist() == [1, 3, 5]
