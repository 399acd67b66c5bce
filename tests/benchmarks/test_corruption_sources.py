"""Three sources of corrupted images: batched, the reference package, and the published folders."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from bench.benchmarks import Batch
from bench.benchmarks.corruption import Corruption
from bench.corruptions import manifest
from bench.corruptions.manifest import manifest_digest
from bench.data import CropRecipe, DataConfig, load_dataset, open_crops
from bench.errors import ConfigurationError, DataError
from bench.records import Condition

FOG = Condition("fog", 2.0)
CROP = CropRecipe(64, 64, 0.875, "center", "bilinear")


@pytest.fixture
def crops(tmp_path):
    dataset = load_dataset(DataConfig(name="samples", source="samples", limit=4))
    return open_crops(dataset, CROP, cache_dir=tmp_path / "cache", cache_gb=1, workers=0, on_error="refuse")


@pytest.fixture
def published(tmp_path, crops):
    """A folder in ImageNet-C's layout, with its group folders; each image is one grey level."""
    root = tmp_path / "ImageNet-C"
    for level, image_id in enumerate(crops.image_ids):
        path = root / "weather" / "fog" / "2" / str(image_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (224, 224), (40 * level,) * 3).save(path.with_suffix(".JPEG"), quality=100)
    return root


def test_files_are_found_by_the_clean_images_names(published, crops):
    benchmark = Corruption(corruptions=("fog",), severities=(2,), source="files", root=str(published))
    benchmark.check()
    images = benchmark.read(crops, [2, 0], FOG, seed=0).images
    assert images.shape == (2, 3, 224, 224)
    assert images.float().mean(dim=(1, 2, 3)).tolist() == pytest.approx([80, 0], abs=1)


def test_files_are_not_resized_for_a_224_model(tmp_path):
    from bench.corruptions.files import read_corrupted

    folder = tmp_path / "fog" / "2" / "n01440764"
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (226, 228, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "a.png")
    read = read_corrupted(tmp_path, ["n01440764/a.png"], FOG)
    assert np.array_equal(read[0].permute(1, 2, 0).numpy(), pixels[1:225, 2:226])


def test_missing_corruptions_and_severities_are_named(published):
    benchmark = Corruption(corruptions=("fog", "snow"), severities=(1, 2), source="files", root=str(published))
    with pytest.raises(ConfigurationError, match=r"lacks fog/1, snow/1, snow/2"):
        benchmark.check()
    with pytest.raises(ConfigurationError, match="root=FOLDER"):
        Corruption(source="files").check()


def test_a_missing_file_is_an_error(published, crops):
    benchmark = Corruption(corruptions=("fog",), severities=(2,), source="files", root=str(published))
    next(iter(published.rglob("*.JPEG"))).unlink()
    with pytest.raises(DataError, match="missing or does not decode"):
        benchmark.read(crops, range(4), FOG, seed=0)


@pytest.mark.parametrize("image_id", ["../../etc/passwd", "/etc/passwd"])
def test_image_ids_never_leave_the_folder(published, image_id):
    from bench.corruptions.files import corrupted_path

    with pytest.raises(DataError, match="is not a path below a class folder"):
        corrupted_path(published, image_id)


def test_where_the_files_lie_is_no_part_of_a_cells_identity_and_what_they_hold_is(tmp_path, published):
    def parameters(root):
        benchmark = Corruption(corruptions=("fog",), severities=(2,), source="files", root=str(root))
        return benchmark.prepared(CROP, tmp_path / "cache").parameters()

    copied = shutil.copytree(published, tmp_path / "elsewhere" / "copy")
    here = parameters(published)
    assert parameters(copied) == here
    path = next(copied.rglob("*.JPEG"))
    Image.new("RGB", (224, 224), (250, 0, 0)).save(path, quality=100)
    assert parameters(copied) != here
    path.unlink()
    lacking = parameters(copied)
    assert lacking != here
    path.with_name("another.JPEG").write_bytes(b"not looked at until it is read")
    assert parameters(copied) not in (here, lacking)
    assert here != Corruption().parameters()
    assert Corruption(source="reference").parameters()["definition"] == "imagecorruptions"


def test_a_digest_is_kept_and_bytes_are_read_again_only_where_something_changed(tmp_path, published, monkeypatch):
    digest = manifest_digest(published, tmp_path / "cache")
    monkeypatch.setattr(manifest, "_digest", lambda *_, **__: pytest.fail("read again"))
    assert manifest_digest(published, tmp_path / "cache") == digest
    monkeypatch.undo()
    path = next(published.rglob("*.JPEG"))
    content = bytearray(path.read_bytes())
    content[-3] ^= 1  # same name, same size
    path.write_bytes(content)
    assert manifest_digest(published, tmp_path / "cache") != digest


def test_a_sample_reads_some_blocks_and_the_whole_all(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "BLOCK", 16)
    monkeypatch.setattr(manifest, "SAMPLED_BLOCKS", 8)
    folder = tmp_path / "fog" / "1" / "class"
    folder.mkdir(parents=True)
    for number in range(4):
        (folder / f"{number}.JPEG").write_bytes(bytes(range(256)))

    def changed(whole):
        before = manifest_digest(tmp_path, tmp_path / ".cache", whole=whole)
        found = 0
        for place in range(0, 256, 16):
            path = folder / "2.JPEG"
            content = bytearray(path.read_bytes())
            content[place] ^= 255
            path.write_bytes(content)
            found += manifest_digest(tmp_path, tmp_path / ".cache", whole=whole) != before
            path.write_bytes(bytes(range(256)))
        return found

    assert changed(whole=True) == 16
    assert 0 < changed(whole=False) < 16, "8 of 64 blocks are read"


def test_files_with_another_digest_than_asked_for_are_refused(tmp_path, published):
    benchmark = Corruption(source="files", root=str(published), files_digest="0" * 16)
    with pytest.raises(ConfigurationError, match="not files_digest=0000000000000000"):
        benchmark.prepared(CROP, tmp_path / "cache")


def test_no_corrupted_images_have_no_digest(tmp_path):
    with pytest.raises(DataError, match="holds no corrupted images"):
        manifest_digest(tmp_path, tmp_path / "cache")


class Brightness(torch.nn.Module):
    """Two logits: the mean pixel and its complement."""

    def forward(self, images):
        mean = images.mean(dim=(1, 2, 3))
        return torch.stack([mean, 1 - mean], dim=1)


def test_batched_corrupts_on_the_device_and_agrees_with_its_images(crops):
    benchmark = Corruption(corruptions=("fog",), severities=(2,), protocol="native")
    shown = benchmark.read(crops, range(4), FOG, seed=3).images
    assert torch.equal(shown, crops.read(range(4))), "the clean crops travel; the device corrupts"
    batch = Batch(shown, torch.zeros(4, dtype=torch.int64), crops.image_ids, condition=FOG)
    outcomes = benchmark.run(Brightness(), batch, FOG, seed=3)
    made = benchmark.corrupted(shown, crops.image_ids, FOG, seed=3).float() / 255
    assert list(outcomes.prediction) == Brightness()(made).argmax(dim=1).tolist()
    mean = made.mean(dim=(1, 2, 3))
    expected = torch.stack([mean, 1 - mean], dim=1).softmax(dim=1).amax(dim=1)
    assert outcomes.confidence.tolist() == pytest.approx(expected.tolist(), abs=1e-6)
