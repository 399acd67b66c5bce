"""Object annotations in files: bounding-box XML (ImageNet, Pascal VOC), COCO-style JSON, mask images, our samples'."""

import hashlib
import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, UnidentifiedImageError

from bench.data.crop import CropRecipe
from bench.errors import DataError

MASK_MODES = ("1", "L", "P")
HALF = 128

Box = tuple[float, float, float, float]
"""Left, top, right and bottom edge in pixels of the file; right and bottom exclusive."""


@dataclass(frozen=True)
class Region:
    """Where the labelled object is in one image file: the union of its boxes, or a mask."""

    size: tuple[int, int]
    """Width and height of the image file, in pixels."""
    boxes: tuple[Box, ...] = ()
    """One an object; none where there is a mask."""
    mask: Path | None = None
    """Image of the same size whose pixels other than 0 are the object."""

    def picture(self) -> Image.Image:
        """The region as a black image of the file's size with the object in white."""
        if self.mask is not None:
            return _read_mask(self.mask)
        picture = Image.new("L", self.size)
        pen = ImageDraw.Draw(picture)
        for left, top, right, bottom in self.boxes:
            pen.rectangle((round(left), round(top), round(right) - 1, round(bottom) - 1), fill=255)
        return picture

    def crop(self, recipe: CropRecipe) -> NDArray[np.bool_]:
        """``(H,W)`` whether each pixel of the image's crop shows the object: the image's own way, halves rounded up.

        Args:
            recipe: the classifier's resize and crop. What it pads is no object.
        """
        shown = replace(recipe, fill=None if recipe.fill is None else (0, 0, 0))
        inside: NDArray[np.bool_] = shown(self.picture())[0] >= HALF
        return inside

    def identity(self) -> str:
        """Text that two regions share when they are the same, wherever their files lie."""
        content = "" if self.mask is None else hashlib.sha256(self.mask.read_bytes()).hexdigest()
        return f"{self.size}|{self.boxes}|{content}"


def region_key(name: str) -> str:
    """What an image and its annotation have in common: the path with ``/``, its suffix left out."""
    path = PurePosixPath(name.replace("\\", "/"))
    return str(path.with_suffix("")) if path.name else str(path)


def read_region_folder(root: Path) -> dict[str, Region]:
    """The regions of a folder of ``.xml`` or of mask ``.png`` files, by path below it without suffix.

    Raises:
        DataError: neither kind of file or both, or one that cannot be read.
    """
    paths = sorted(
        Path(parent) / name for parent, _, names in os.walk(root) for name in names if not name.startswith(".")
    )
    suffixes = {path.suffix.lower() for path in paths} & {".xml", ".png"}
    if len(suffixes) != 1:
        contents = "both .xml and .png files" if suffixes else "neither .xml nor .png files"
        raise DataError(f"{root} holds {contents}: object regions are a folder of one of the two")
    [suffix] = suffixes
    read = _read_xml if suffix == ".xml" else _mask_region
    return {
        region_key(path.relative_to(root).as_posix()): read(path) for path in paths if path.suffix.lower() == suffix
    }


def read_coco(path: Path) -> dict[str, Region]:
    """The boxes of a COCO-style JSON file (``images``, and ``annotations`` with ``bbox``), by file name.

    Images without a single annotation have no region.

    Raises:
        DataError: it is not such a file.
    """
    try:
        content = json.loads(path.read_text())
        boxes: dict[Any, list[Box]] = {}
        for annotation in content["annotations"]:
            left, top, width, height = (float(value) for value in annotation["bbox"])
            boxes.setdefault(annotation["image_id"], []).append((left, top, left + width, top + height))
        images = [
            (str(item["file_name"]), int(item["width"]), int(item["height"]), boxes[item["id"]])
            for item in content["images"]
            if item["id"] in boxes
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not COCO-style JSON (images, annotations with bbox): {error!r}") from error
    return _by_key(((name, _boxed(name, (width, height), held)) for name, width, height, held in images), path)


def read_sample_regions(path: Path) -> dict[str, Region]:
    """The boxes that come with the embedded sample images."""
    images: Mapping[str, Any] = json.loads(path.read_text())["images"]
    return {
        region_key(name): _boxed(name, (item["width"], item["height"]), [tuple(box) for box in item["boxes"]])
        for name, item in images.items()
    }


def _by_key(items: Any, source: Path) -> dict[str, Region]:
    regions: dict[str, Region] = {}
    for name, region in items:
        key = region_key(name)
        if key in regions:
            raise DataError(f"{source} describes {name!r} twice")
        regions[key] = region
    return regions


def _boxed(name: str, size: tuple[int, int], boxes: list[Box]) -> Region:
    """Boxes cut at the image's borders: published ones leave it by a pixel now and then."""
    width, height = size
    kept = []
    for left, top, right, bottom in boxes:
        box = max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height))
        if not (box[0] < box[2] and box[1] < box[3]):
            raise DataError(f"a box of {name} is empty or outside the image: {[left, top, right, bottom]} of {size}")
        kept.append(box)
    return Region(size, tuple(kept))


def _read_xml(path: Path) -> Region:
    """Pascal VOC, ImageNet: ``size``, and an ``object`` with a ``bndbox`` each; pixels count from 1, both ends in."""
    try:
        root = _parse_xml(path.read_bytes())
        size = int(_number(root, "size/width")), int(_number(root, "size/height"))
        boxes = [
            (_number(box, "xmin") - 1, _number(box, "ymin") - 1, _number(box, "xmax"), _number(box, "ymax"))
            for box in root.findall("object/bndbox")
        ]
    except (ValueError, ET.ParseError, expat.ExpatError) as error:
        raise DataError(f"{path} is not bounding-box XML: {error}") from error
    if not boxes:
        raise DataError(f"{path} has no object with a bndbox: remove it, or name the object")
    return _boxed(path.name, size, boxes)


def _parse_xml(content: bytes) -> ET.Element:
    """Parse XML that may come from anywhere.

    Entities can only be declared in a document type, which bounding boxes do not need: one is refused before anything
    it declares could expand or be fetched.
    """

    def refuse(*_: Any) -> None:
        raise ValueError("it has a document type declaration (DOCTYPE), which is refused")

    guard = expat.ParserCreate()
    guard.StartDoctypeDeclHandler = refuse
    guard.Parse(content, True)
    return ET.fromstring(content)  # noqa: S314  # no DOCTYPE, hence no entities


def _number(element: ET.Element, path: str) -> float:
    text = element.findtext(path)
    if text is None:
        raise ValueError(f"it has no {path}")
    return float(text)


def _mask_region(path: Path) -> Region:
    try:
        with Image.open(path) as image:
            if image.mode not in MASK_MODES:
                raise DataError(f"mask {path} has mode {image.mode}: save it with one channel, 0 where no object is")
            return Region(image.size, mask=path)
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"mask {path} is not an image: {error}") from error


def _read_mask(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return Image.fromarray((np.asarray(image) != 0).astype(np.uint8) * 255)
