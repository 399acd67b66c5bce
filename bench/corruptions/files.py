"""Published corrupted images from disk: ImageNet-C's folders, with or without group folders, CIFAR-10-C's arrays."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from bench.corruptions.arrays import LABELS, check_arrays, read_corrupted_array, rows_of_images
from bench.corruptions.catalogue import Definition
from bench.errors import ConfigurationError, DataError
from bench.paths import write_atomically
from bench.records import Condition

GROUPS = ("", "noise", "blur", "weather", "digital", "extra")
SIDE = 224
"""Pixels of the published images."""


def definition_of(root: Path) -> Definition:
    """``cifar10_c`` for a folder of CIFAR-10-C's arrays, ``imagenet_c`` for folders of images."""
    return "cifar10_c" if (root / LABELS).is_file() else "imagenet_c"


def check_files(root: Path, conditions: Iterable[Condition]) -> None:
    """Refuse, before any work, a folder that lacks corruptions or severities.

    Raises:
        ConfigurationError: naming every one that is missing.
    """
    if not root.is_dir():
        raise ConfigurationError(f"no folder of corrupted images at {root}: give the benchmark's root=FOLDER")
    check = check_arrays if definition_of(root) == "cifar10_c" else check_folders
    check(root, conditions)


def read_files(root: Path, image_ids: Sequence[str], labels: NDArray[np.int64], condition: Condition) -> Tensor:
    """The published images of ``condition``, as they are: centre crop of 224 of ImageNet-C's, CIFAR-10-C's whole.

    Args:
        root: folder of the corruptions.
        image_ids: ``B`` names of the clean images.
        labels: ``(B,)`` their labels, which the arrays of CIFAR-10-C must agree with.
        condition: corruption and severity.

    Returns:
        ``(B,3,S,S)`` uint8, ``S`` 224 or 32.

    Raises:
        DataError: a file is missing, does not decode, is smaller than 224 pixels, or has other labels.
    """
    if definition_of(root) == "cifar10_c":
        return read_corrupted_array(root, rows_of_images(root, image_ids, labels), condition)
    return read_corrupted(root, image_ids, condition)


def condition_folder(root: Path, condition: Condition) -> Path | None:
    """``<root>[/<group>]/<corruption>/<severity>``, or None where there is no such folder."""
    for group in GROUPS:
        folder = root / group / condition.name / f"{condition.strength:g}"
        if folder.is_dir():
            return folder
    return None


def check_folders(root: Path, conditions: Iterable[Condition]) -> None:
    """Refuse an ImageNet-C folder that lacks corruptions or severities.

    Raises:
        ConfigurationError: naming every one that is missing.
    """
    missing = [f"{item.name}/{item.strength:g}" for item in conditions if condition_folder(root, item) is None]
    if missing:
        raise ConfigurationError(
            f"{root} lacks {', '.join(missing)}: expected <corruption>/<severity>/<class>/<image>, with or without"
            " the published group folders (noise, blur, weather, digital, extra)"
        )


def corrupted_path(folder: Path, image_id: str) -> Path:
    """Where the corrupted version of an image lies below its condition's folder.

    Args:
        folder: what ``condition_folder`` returned.
        image_id: the clean image's path, ``<class>/<image>``.

    Raises:
        DataError: an image id that would leave the folder.
    """
    if image_id.startswith("/") or ".." in Path(image_id).parts:
        raise DataError(f"image id {image_id!r} is not a path below a class folder")
    return (folder / image_id).with_suffix(".JPEG")


def write_corrupted(target: Path, image: Tensor, *, quality: int) -> None:
    """Write a corrupted image as JPEG; a reader never sees half of it.

    Args:
        target: what ``corrupted_path`` returned; its folder is made if missing.
        image: ``(3,H,W)`` uint8.
        quality: of the JPEG, 1 to 100.
    """
    file = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=quality, optimize=True)
    write_atomically(target, file.getvalue())


def read_corrupted(root: Path, image_ids: Sequence[str], condition: Condition) -> Tensor:
    """ImageNet-C's images of ``condition``: centre crop of 224 alone, no resize.

    Args:
        root: folder of the corruptions.
        image_ids: names of the clean images.
        condition: corruption and severity.

    Returns:
        ``(B,3,224,224)`` uint8.

    Raises:
        DataError: a file is missing, does not decode, or is smaller than 224 pixels.
    """
    folder = condition_folder(root, condition)
    if folder is None:
        raise DataError(f"{root} lacks {condition.name}/{condition.strength:g}")
    return torch.stack([_read_one(folder, image_id) for image_id in image_ids])


def _read_one(folder: Path, image_id: str) -> Tensor:
    path = corrupted_path(folder, image_id)
    if not path.is_file():
        path = folder / image_id  # kept its own suffix
    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
    except OSError as error:
        raise DataError(f"corrupted image {path} is missing or does not decode: {error}") from error
    if min(image.size) < SIDE:
        raise DataError(f"corrupted image {path} is {image.size[0]} x {image.size[1]}, smaller than {SIDE}")
    left, top = round((image.width - SIDE) / 2), round((image.height - SIDE) / 2)
    image = image.crop((left, top, left + SIDE, top + SIDE))
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)
