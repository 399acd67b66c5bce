"""Object regions: every format, through the image's own resize and crop, and nothing taken on trust."""

import json

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from bench.data import CropRecipe, DataConfig, load_dataset, open_crops
from bench.data.region_files import Region, read_coco, read_region_folder
from bench.data.regions import check_regions, open_regions, read_regions
from bench.errors import ConfigurationError, DataError

LIKE_RESNET = CropRecipe(224, 224, 0.875, "center", "bilinear")
RECIPES = [
    LIKE_RESNET,
    CropRecipe(260, 260, 0.89, "center", "bicubic"),
    CropRecipe(96, 160, 1.0, "squash", "bicubic"),
    CropRecipe(128, 128, 0.9, "border", "bilinear", fill=(255, 255, 255)),
]
VOC = """<annotation><filename>{name}</filename><size><width>60</width><height>40</height><depth>3</depth></size>
<object><name>cat</name><bndbox><xmin>11</xmin><ymin>6</ymin><xmax>30</xmax><ymax>20</ymax></bndbox></object>
<object><name>cat</name><bndbox><xmin>41</xmin><ymin>31</ymin><xmax>61</xmax><ymax>40</ymax></bndbox></object>
</annotation>"""
BILLION_LAUGHS = """<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>
<annotation><size><width>&b;</width></size></annotation>"""


def expected_voc():
    mask = np.zeros((40, 60), dtype=bool)
    mask[5:20, 10:30] = True  # pixels count from 1 and both ends are inside
    mask[30:40, 40:60] = True  # cut at the border
    return mask


def mask_of(region: Region):
    return np.asarray(region.picture()) > 0


def test_a_box_is_where_the_crop_puts_it_by_hand():
    # 512 x 512, resized to 256 x 256 (224 / 0.875), of which the middle 224 are kept: 16 are cut at each side.
    region = Region((512, 512), ((128, 64, 384, 448),)).crop(LIKE_RESNET)
    rows, columns = region.any(axis=1).nonzero()[0], region.any(axis=0).nonzero()[0]
    assert (rows[0], rows[-1] + 1) == (64 // 2 - 16, 448 // 2 - 16)
    assert (columns[0], columns[-1] + 1) == (128 // 2 - 16, 384 // 2 - 16)
    assert region.sum() == 192 * 128


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.key)
@pytest.mark.parametrize("size", [(300, 200), (120, 260)])
def test_a_box_drawn_on_the_image_is_cropped_to_the_region(recipe, size):
    box = (size[0] // 3, size[1] // 5, size[0] // 3 + 70, size[1] // 5 + 90)
    image = Image.new("RGB", size, (0, 0, 255))
    ImageDraw.Draw(image).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=(255, 255, 0))
    shown = recipe(image).astype(int)
    yellow = (shown[0] >= 128) & (shown[2] < 128)
    region = Region(size, (box,)).crop(recipe)
    assert region.any()
    assert (region != yellow).mean() < 0.005  # one edge may lie on half a pixel, where the two channels round apart


def test_an_object_that_the_crop_cuts_off_has_no_pixel():
    assert not Region((512, 512), ((0, 0, 20, 512),)).crop(LIKE_RESNET).any()


@pytest.mark.parametrize("layout", ["flat", "folders"])
def test_pascal_and_imagenet_xml(layout, tmp_path):
    folder = tmp_path if layout == "flat" else tmp_path / "n02123045"
    folder.mkdir(exist_ok=True)
    (folder / "a.xml").write_text(VOC.format(name="a"))
    [region] = open_regions(str(tmp_path)).find(["n02123045/a.JPEG", "n02123045/b.JPEG"]).values()
    assert region.size == (60, 40)
    assert np.array_equal(mask_of(region), expected_voc())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (BILLION_LAUGHS, "DOCTYPE"),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><annotation/>', "DOCTYPE"),
        ("<annotation>", "not bounding-box XML"),
        ("<annotation><size><width>60</width></size></annotation>", "no size/height"),
        (VOC.replace(">61<", ">forty<"), "forty"),
        (VOC.replace("object>", "thing>"), "no object"),
        (VOC.replace(">30<", ">9<"), "empty or outside"),
    ],
)
def test_xml_that_is_hostile_or_wrong_is_refused(content, told, tmp_path):
    (tmp_path / "a.xml").write_text(content)
    with pytest.raises(DataError, match=told):
        read_region_folder(tmp_path)


def test_coco(tmp_path):
    path = tmp_path / "instances.json"
    found = {
        "images": [
            {"id": 7, "file_name": "val/a.jpg", "width": 60, "height": 40},
            {"id": 8, "file_name": "val/nothing.jpg", "width": 60, "height": 40},
        ],
        "annotations": [{"image_id": 7, "bbox": [10, 5, 20, 15]}, {"image_id": 7, "bbox": [40, 30, 20.4, 10]}],
    }
    path.write_text(json.dumps(found))
    regions = read_coco(path)
    assert list(regions) == ["val/a"], "an image without annotation has no region"
    assert np.array_equal(mask_of(regions["val/a"]), expected_voc())
    path.write_text(json.dumps({"images": found["images"]}))
    with pytest.raises(DataError, match="COCO"):
        read_coco(path)


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_masks(mode, tmp_path):
    values = Image.fromarray(expected_voc().astype(np.uint8) * (255 if mode == "1" else 3))
    image = values.convert("1") if mode == "1" else values
    if mode == "P":
        image = values.copy()
        image.putpalette([0, 0, 0] * 256)  # an index is what counts, whatever colour it has
    (tmp_path / "cat").mkdir()
    image.save(tmp_path / "cat" / "a.png")
    [region] = read_region_folder(tmp_path).values()
    assert np.array_equal(mask_of(region), expected_voc())


def test_masks_of_another_kind_are_refused(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="mode RGB"):
        read_region_folder(tmp_path)
    (tmp_path / "b.xml").write_text(VOC)
    with pytest.raises(DataError, match="both"):
        read_region_folder(tmp_path)


def test_two_images_cannot_share_an_annotation(tmp_path):
    (tmp_path / "1.xml").write_text(VOC)
    with pytest.raises(DataError, match=r"cat/1.jpg and dog/1.jpg would share"):
        open_regions(str(tmp_path)).find(["cat/1.jpg", "dog/1.jpg"])


def test_the_digest_is_of_the_content(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.xml").write_text(VOC)
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved" / "a.xml").write_text(VOC.replace(">11<", ">12<"))
    one, other, moved = (open_regions(str(tmp_path / name)).digest for name in ("one", "other", "moved"))
    assert one == other != moved


def test_missing_sources_name_the_nearest(tmp_path):
    (tmp_path / "boxes").mkdir()
    with pytest.raises(ConfigurationError, match="boxes"):
        check_regions(str(tmp_path / "boxs"))
    (tmp_path / "boxes.txt").write_text("")
    with pytest.raises(ConfigurationError, match="not"):
        check_regions(str(tmp_path / "boxes.txt"))


@pytest.fixture
def samples(tmp_path):
    dataset = load_dataset(DataConfig(name="samples", source="samples"))
    return open_crops(dataset, LIKE_RESNET, cache_dir=tmp_path / "cache", cache_gb=1, workers=0, on_error="refuse")


def test_every_sample_image_has_its_boxes(samples, sample_files):
    masks = read_regions(samples, range(20), "samples")
    assert masks.shape == (20, 1, 224, 224)
    assert set(masks.unique().tolist()) == {0, 255}
    assert (masks > 0).flatten(1).any(dim=1).all()
    regions = open_regions("samples").find(samples.image_ids.tolist())
    for path in sample_files:
        with Image.open(path) as image:
            assert regions[path.name].size == image.size
    # the bird of prey spreads its wings over the whole width, the spoonbills take a small part of the sky
    share = dict(zip(samples.image_ids.tolist(), (masks > 0).float().mean(dim=(1, 2, 3)).tolist(), strict=True))
    assert share["imagenet_14_129.jpg"] < 0.1 < 0.4 < share["imagenet_17_22.jpg"] < 0.6


def test_an_image_without_annotation_is_an_error_unless_asked_for(samples, tmp_path):
    (tmp_path / "boxes").mkdir()
    (tmp_path / "boxes" / "imagenet_00_243.xml").write_text(VOC)
    with pytest.raises(DataError, match=r"19 of 20 images .* no object region .* imagenet_01_559.jpg"):
        read_regions(samples, [0], str(tmp_path / "boxes"))
    masks = read_regions(samples, [0, 1], str(tmp_path / "boxes"), missing="absent")
    assert masks[0].any()
    assert not torch.any(masks[1])
