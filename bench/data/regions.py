"""Where the labelled object is in each image of a dataset, in the crop that a classifier sees."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import torch
from torch import Tensor

from bench.data.crops import Crops
from bench.data.region_files import Region, read_coco, read_region_folder, read_sample_regions, region_key
from bench.errors import ConfigurationError, DataError, nearest_names

SAMPLES = "samples"
"""The boxes that come with the embedded sample images."""


@dataclass(frozen=True)
class Regions:
    """The annotations of a file or folder."""

    source: str
    """Where they are from, for messages."""
    by_key: Mapping[str, Region]
    """By path of the image without its suffix."""
    digest: str
    """Of sizes, boxes and masks: 16 hex digits that do not depend on where the files lie."""

    def find(self, image_ids: Sequence[str]) -> dict[str, Region]:
        """The region of each image that has one: by its path, or by its name where annotations lie in no folder.

        Raises:
            DataError: two images would share one annotation.
        """
        owner: dict[str, str] = {}
        for image_id in image_ids:
            key = region_key(image_id)
            bare = key.rpartition("/")[2]
            found = key if key in self.by_key else bare
            if found in self.by_key:
                if found in owner:
                    raise DataError(
                        f"{owner[found]} and {image_id} would share the annotation {found!r} of {self.source}: lay the"
                        " annotations out in the folders of the images"
                    )
                owner[found] = image_id
        return {image_id: self.by_key[key] for key, image_id in owner.items()}


def check_regions(source: str) -> None:
    """Refuse annotations that are not there.

    Raises:
        ConfigurationError: no such file or folder, naming the nearest ones.
    """
    path = Path(source)
    if source == SAMPLES or path.is_dir() or (path.is_file() and path.suffix == ".json"):
        return
    if path.is_file():
        raise ConfigurationError(f"object regions are a folder of .xml or .png files or one .json file, not {path}")
    parent = path.absolute().parent
    siblings = [entry.name for entry in parent.iterdir()] if parent.is_dir() else []
    raise ConfigurationError(f"no object regions at {path}; {nearest_names(path.name, siblings)}".removesuffix("; "))


@lru_cache(maxsize=4)
def open_regions(source: str) -> Regions:
    """Read all annotations of ``source``; kept, since every batch asks for some.

    Args:
        source: ``samples``; a folder of bounding-box XML (ImageNet, Pascal VOC); a folder of mask PNGs; or a COCO-style
            JSON file. All objects of an image count as its labelled object.

    Raises:
        ConfigurationError: there is no such file or folder.
        DataError: an annotation cannot be read.
    """
    check_regions(source)
    path = Path(source)
    if source == SAMPLES:
        regions = read_sample_regions(Path(str(files("bench.data") / "sample_regions.json")))
    else:
        regions = read_region_folder(path) if path.is_dir() else read_coco(path)
    listing = "\n".join(f"{key} {region.identity()}" for key, region in sorted(regions.items()))
    return Regions(source, regions, hashlib.sha256(listing.encode()).hexdigest()[:16])


def read_regions(crops: Crops, positions: Sequence[int], source: str, *, missing: str = "refuse") -> Tensor:
    """The regions of some images of a dataset, through the resize and crop of the images themselves.

    Args:
        crops: the images.
        positions: which of them, ``B``.
        source: as of ``open_regions``.
        missing: ``refuse`` raises when any image of the dataset has no annotation; ``absent`` gives it no pixel.

    Returns:
        ``(B,1,H,W)`` uint8, 255 on the object and 0 elsewhere. An object that the crop leaves out has no pixel.

    Raises:
        DataError: an image without annotation (``refuse``), or two that would share one.
    """
    found = _matched(source, tuple(crops.image_ids.tolist()))
    if missing == "refuse" and len(found) < len(crops):
        lacking = [str(image_id) for image_id in crops.image_ids if image_id not in found]
        raise DataError(
            f"{len(lacking)} of {len(crops)} images of {crops.name} have no object region in {source}, e.g."
            f" {lacking[0]}: annotate them, or set missing=absent to leave them out"
        )
    height, width = crops.recipe.height, crops.recipe.width
    masks = torch.zeros(len(positions), 1, height, width, dtype=torch.uint8)
    for row, position in enumerate(positions):
        region = found.get(str(crops.image_ids[position]))
        if region is not None:
            masks[row, 0] = torch.from_numpy(region.crop(crops.recipe)) * 255
    return masks


@lru_cache(maxsize=4)
def _matched(source: str, image_ids: tuple[str, ...]) -> dict[str, Region]:
    return open_regions(source).find(image_ids)
