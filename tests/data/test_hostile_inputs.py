"""Hostile and odd images: decoded as they should be, or named; never another picture in their place."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from bench.data import CropRecipe, DataConfig, load_dataset, open_crops
from bench.errors import ConfigurationError, DataError

RECIPE = CropRecipe(height=16, width=16, crop_pct=1.0, crop_mode="squash", interpolation="bilinear")


def crops_of(root, cache, **config):
    dataset = load_dataset(DataConfig(source="folder", root=str(root), **config))
    return open_crops(dataset, RECIPE, cache_dir=cache, cache_gb=1.0, workers=0, on_error="refuse")


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "images" / "0"
    place.mkdir(parents=True)
    return place


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_scaled_never_clipped_to_white(folder, tmp_path, suffix):
    deep = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    Image.fromarray(deep).save(folder / f"deep.{suffix}")
    crops = crops_of(folder.parent, tmp_path / "cache")
    for channel in crops.read([0])[0]:
        assert channel.flatten().tolist() == list(range(256)), "65535 is 255, 0 is 0, linear between"


def test_floating_point_pixels_have_no_known_range(folder, tmp_path):
    Image.fromarray(np.ones((16, 16), dtype=np.float32)).save(folder / "float.tif")
    with pytest.raises(DataError, match="mode F have no known range"):
        crops_of(folder.parent, tmp_path / "cache")


def test_alpha_is_dropped_as_in_the_fields_loaders(folder, tmp_path):
    Image.new("RGBA", (16, 16), (10, 20, 30, 0)).save(folder / "clear.png")
    assert crops_of(folder.parent, tmp_path / "cache").read([0])[0, :, 5, 5].tolist() == [10, 20, 30]


def test_exif_rotation_is_left_alone_as_in_the_fields_loaders(folder, tmp_path):
    image = Image.new("RGB", (16, 16))
    image.paste((255, 255, 255), (0, 0, 16, 8))  # the upper half is white
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90 degrees to look at"
    image.save(folder / "turned.jpg", exif=exif, quality=100)
    pixels = crops_of(folder.parent, tmp_path / "cache").read([0])[0]
    assert pixels[:, :6].min() > 200
    assert pixels[:, 10:].max() < 55


def test_a_bomb_of_20000_pixels_squared_is_named_and_never_unpacked(folder, tmp_path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    (folder / "bomb.png").write_bytes(content)
    with pytest.raises(DataError, match=r"bomb\.png.*decompression bomb"):
        crops_of(folder.parent, tmp_path / "cache")


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>.png", "a'b\"c.png", "ünï 犬.png", "-rf.png", "..png", "a\nb.png"]
)
def test_hostile_names_are_names(folder, tmp_path, name):
    name = name.replace("/", "")
    Image.new("RGB", (16, 16), (1, 2, 3)).save(folder / "x.png")
    (folder / "x.png").rename(folder / name)
    if name.startswith("."):
        with pytest.raises(DataError, match="has no images"):
            crops_of(folder.parent, tmp_path / "cache")
        return
    crops = crops_of(folder.parent, tmp_path / "cache")
    assert list(crops.image_ids) == [f"0/{name}"]
    assert crops.read([0])[0, :, 0, 0].tolist() == [1, 2, 3]


def test_the_same_picture_under_two_names_is_two_images(folder, tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (16, 16), (1, 2, 3)).save(folder / name)
    assert list(crops_of(folder.parent, tmp_path / "cache").image_ids) == ["0/a.png", "0/b.png"]


def test_an_empty_class_is_refused(folder, tmp_path):
    Image.new("RGB", (16, 16)).save(folder / "a.png")
    (folder.parent / "1").mkdir()
    with pytest.raises(DataError, match="1 has no images"):
        crops_of(folder.parent, tmp_path / "cache")


def test_a_class_map_with_yaml_tags_or_code_is_text(folder, tmp_path):
    Image.new("RGB", (16, 16)).save(folder / "a.png")
    spell = f"!!python/object/apply:os.system ['touch {tmp_path}/owned']"
    (tmp_path / "map.json").write_text(spell)
    with pytest.raises((ConfigurationError, DataError)):
        crops_of(folder.parent, tmp_path / "cache", class_map=str(tmp_path / "map.json"))
    assert not (tmp_path / "owned").exists()
