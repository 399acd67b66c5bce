"""Crops are timm's own, decoded once, shared, bounded, and verified whenever they are read."""

import json
import multiprocessing
import shutil
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config

from bench.data import CropRecipe, DataConfig, load_dataset, open_crops
from bench.data import decoding as decoding_module
from bench.errors import DataError

RECIPE = CropRecipe(height=64, width=64, crop_pct=0.875, crop_mode="center", interpolation="bicubic")
WIDE = CropRecipe(height=32, width=48, crop_pct=1.0, crop_mode="squash", interpolation="bilinear")


def open_folder(root, cache, recipe=RECIPE, *, cache_gb=1.0, workers=0, on_error="refuse", **config):
    dataset = load_dataset(DataConfig(source="folder", root=str(root), **config))
    return open_crops(dataset, recipe, cache_dir=cache, cache_gb=cache_gb, workers=workers, on_error=on_error)


@pytest.mark.parametrize(
    "name", ["tf_efficientnet_lite1", "resnet50", "vit_small_patch16_224", "beit_base_patch16_224"]
)
def test_the_crop_is_timms_own(name, sample_files):
    config = resolve_model_data_config(timm.create_model(name, pretrained=False))
    transform = create_transform(**{**config, "mean": (0, 0, 0), "std": (1, 1, 1)})
    recipe = CropRecipe.from_timm(config)
    for path in sample_files[:3]:
        image = Image.open(path)
        ours = torch.from_numpy(recipe(image)).float() / 255
        assert torch.equal(ours, transform(image.convert("RGB")))


def test_border_crops_are_padded_as_timm_does(sample_files):
    config = {**resolve_model_data_config(timm.create_model("resnet18")), "crop_mode": "border", "crop_pct": 0.9}
    transform = create_transform(**config, use_prefetcher=True)
    image = Image.open(sample_files[0]).resize((90, 40))
    recipe = CropRecipe.from_timm(config)
    assert torch.equal(torch.from_numpy(recipe(image)), transform(image.convert("RGB")))
    assert recipe.key.endswith("-124_116_104")


def test_read_gives_the_crops_in_the_order_asked_for(image_folder, tmp_path):
    crops = open_folder(image_folder, tmp_path / "cache")
    for position in (5, 0, 3):
        image = Image.open(image_folder / crops.image_ids[position])
        assert torch.equal(crops.read([position])[0], torch.from_numpy(RECIPE(image)))
    assert torch.equal(crops.read([5, 0]), torch.stack([crops.read([5])[0], crops.read([0])[0]]))
    assert crops.read(range(8)).dtype == torch.uint8


def test_nothing_is_decoded_twice(image_folder, tmp_path, monkeypatch):
    first = open_folder(image_folder, tmp_path / "cache")
    monkeypatch.setattr(decoding_module, "decode_one", lambda *_: pytest.fail("decoded again"))
    second = open_folder(image_folder, tmp_path / "cache")
    assert torch.equal(first.read(range(8)), second.read(range(8)))


def test_the_digest_is_of_the_content_alone(image_folder, tmp_path):
    digests = {
        open_folder(image_folder, tmp_path / "a").digest,
        open_folder(image_folder, tmp_path / "a", WIDE).digest,
        open_folder(image_folder, tmp_path / "b", workers=2).digest,
        open_folder(image_folder, tmp_path / "c", cache_gb=0).digest,
    }
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(image_folder, elsewhere)
    digests.add(open_folder(elsewhere, tmp_path / "a").digest)
    assert len(digests) == 1
    picture = next(path for path in elsewhere.rglob("*.jpg"))
    picture.write_bytes(picture.read_bytes() + b"\0")
    assert open_folder(elsewhere, tmp_path / "a").digest not in digests


def test_a_set_larger_than_the_cache_is_decoded_on_the_fly(image_folder, tmp_path):
    cached = open_folder(image_folder, tmp_path / "a")
    decoded = open_folder(image_folder, tmp_path / "b", cache_gb=1e-6)
    assert torch.equal(cached.read([2, 7]), decoded.read([2, 7]))
    assert not list((tmp_path / "b").rglob("crops.uint8"))


def test_the_least_recently_used_set_makes_room(image_folder, tmp_path):
    cache = tmp_path / "cache"
    one_set = 8 * 3 * 64 * 64 / 1e9
    recipes = [CropRecipe(64, 64, pct, "center", "bicubic") for pct in (0.8, 0.85, 0.9)]
    for recipe in recipes:
        open_folder(image_folder, cache, recipe, cache_gb=2.5 * one_set)
    kept = {json.loads(path.read_text())["recipe"] for path in cache.rglob("meta.json")}
    assert kept == {recipe.key for recipe in recipes[1:]}


def test_crops_in_use_outlive_their_eviction_by_another(image_folder, tmp_path):
    crops = open_folder(image_folder, tmp_path / "cache")
    before = crops.read(range(8))
    shutil.rmtree(tmp_path / "cache")
    assert torch.equal(crops.read(range(8)), before)


def test_a_damaged_crop_is_noticed(image_folder, tmp_path):
    crops = open_folder(image_folder, tmp_path / "cache")
    (stored,) = (tmp_path / "cache").rglob("crops.uint8")
    content = bytearray(stored.read_bytes())
    content[3 * 64 * 64 * 2 + 17] ^= 1
    stored.write_bytes(content)
    crops.read([0, 1, 3])
    with pytest.raises(DataError, match=r"is damaged: delete that folder"):
        crops.read([2])


def race(root, cache, barrier):
    barrier.wait()
    open_folder(root, cache)


def test_processes_that_race_agree_on_one_cache(image_folder, tmp_path):
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(3)
    racers = [context.Process(target=race, args=(image_folder, tmp_path / "cache", barrier)) for _ in range(3)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
        assert racer.exitcode == 0
    assert len(list((tmp_path / "cache").iterdir())) == 1, "no half-built folders stay behind"
    assert len(open_folder(image_folder, tmp_path / "cache")) == 8


def spoil(image_folder: Path) -> list[str]:
    """Truncate one image and turn another into text; their names."""
    first, second, *_ = sorted(image_folder.rglob("*.jpg"))
    first.write_bytes(first.read_bytes()[:-2000])
    second.write_text("not a picture")
    return [path.relative_to(image_folder).as_posix() for path in (first, second)]


@pytest.mark.parametrize("workers", [0, 2])
def test_files_that_do_not_decode_are_named_and_refused(image_folder, tmp_path, workers):
    spoiled = spoil(image_folder)
    with pytest.raises(DataError, match=r"2 of 8 images of images do not decode.*data\.on_error=skip") as caught:
        open_folder(image_folder, tmp_path / "cache", workers=workers)
    assert all(name in str(caught.value) for name in spoiled)
    assert "not an image" in str(caught.value)


def test_skip_leaves_them_out_and_says_which(image_folder, tmp_path):
    whole = open_folder(image_folder, tmp_path / "cache")
    spoiled = spoil(image_folder)
    crops = open_folder(image_folder, tmp_path / "cache", on_error="skip")
    assert crops.skipped == tuple(spoiled)
    assert len(crops) == 6
    assert crops.digest != whole.digest
    kept = [list(whole.image_ids).index(name) for name in crops.image_ids]
    assert torch.equal(crops.read(range(6)), whole.read(kept))
    assert list(crops.labels) == list(whole.labels[kept])


def test_no_image_that_decodes_is_an_error_even_when_skipping(tmp_path):
    (tmp_path / "images" / "3").mkdir(parents=True)
    (tmp_path / "images" / "3" / "a.jpg").write_text("text")
    with pytest.raises(DataError, match="none of the 1 images"):
        open_folder(tmp_path / "images", tmp_path / "cache", on_error="skip")


@pytest.mark.parametrize("mode", ["CMYK", "L", "I;16", "RGBA", "P", "1", "LA"])
def test_odd_modes_and_sizes_decode(tmp_path, mode):
    folder = tmp_path / "images" / "0"
    folder.mkdir(parents=True)
    grey = Image.fromarray(np.arange(12 * 9, dtype=np.uint8).reshape(12, 9))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 256)
    else:
        image = grey.convert("RGB").convert(mode) if mode != "LA" else grey.convert("LA")
    image.save(folder / ("a.tif" if mode in ("CMYK", "I;16") else "a.png"))
    Image.new("RGB", (1, 1), (9, 8, 7)).save(folder / "b.png")
    crops = open_folder(tmp_path / "images", tmp_path / "cache")
    assert crops.read([0, 1]).shape == (2, 3, 64, 64)
    assert crops.read([1])[0, :, 0, 0].tolist() == [9, 8, 7]


def test_a_thread_of_an_image_is_a_bad_file(tmp_path):
    folder = tmp_path / "images" / "0"
    folder.mkdir(parents=True)
    Image.new("L", (1, 5000)).save(folder / "thin.png")
    with pytest.raises(DataError, match=r"thin\.png \(1 x 5000 pixels is too thin to crop\)"):
        open_folder(tmp_path / "images", tmp_path / "cache")


def test_a_file_that_cannot_be_read_just_now_is_not_remembered_as_bad(image_folder, tmp_path):
    dataset = load_dataset(DataConfig(source="folder", root=str(image_folder)))
    (image_folder / dataset.image_ids[2]).unlink()
    with pytest.raises(DataError, match="cannot read"):
        open_crops(dataset, RECIPE, cache_dir=tmp_path, cache_gb=1, workers=0, on_error="skip")
    assert not list(tmp_path.glob("*/meta.json"))


def test_a_decompression_bomb_is_a_bad_file(tmp_path, monkeypatch):
    folder = tmp_path / "images" / "0"
    folder.mkdir(parents=True)
    Image.new("L", (300, 300)).save(folder / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    with pytest.raises(DataError, match=r"bomb\.png"):
        open_folder(tmp_path / "images", tmp_path / "cache")


@pytest.mark.shared_data
def test_lite0s_crops_of_real_imagenet_folders(shared_data, tmp_path):
    recipe = CropRecipe(224, 224, 0.875, "center", "bicubic")
    crops = open_folder(shared_data / "imagenet_samples", tmp_path, recipe, limit=20)
    assert len(set(crops.labels)) == 20
    assert crops.read([0, 19]).shape == (2, 3, 224, 224)
