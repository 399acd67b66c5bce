"""Images with their shape, their texture or their colour taken away (Burgert et al. 2025).

Patch and colour operations are batched in torch; the three filters are OpenCV's own, image by image on the CPU.

References:
    Burgert et al., "ImageNet-trained CNNs are not biased towards texture: Revisiting feature reliance through
    controlled suppression", NeurIPS 2025.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.corruptions.patches import cut_patches, put_patches
from bench.errors import ConfigurationError, DataError, nearest_names
from bench.imaging.threads import map_images
from bench.records import Condition
from bench.rng import draw_scalars

SIGMA_SPACE = 75
_BILATERAL_SIGMA = {4: 50, 6: 80, 8: 110, 10: 140, 12: 170, 14: 200}
"""Standard deviation in levels, by diameter in pixels: from (4, 50) to (14, 200) in even steps."""
_TEMPLATE, _SEARCH = 7, 21
"""Sides of the windows of non-local means, OpenCV's defaults."""
_LUMA = (0.299, 0.587, 0.114)


def _shuffle_patches(images: Tensor, grid: float, seeds: Sequence[int]) -> Tensor:
    patches = int(grid)
    order = torch.stack([_order(seed, patches * patches) for seed in seeds]).to(images.device)
    pieces = cut_patches(images, patches)
    return put_patches(images, pieces.gather(1, order[:, :, None, None, None].expand_as(pieces)), patches)


def _order(seed: int, count: int) -> Tensor:
    """A permutation that leaves something in another place: the order of ``count`` draws."""
    attempt = 0
    while True:
        order = draw_scalars([seed], (attempt + 1) * count)[0, attempt * count :].argsort(stable=True)
        if not torch.equal(order, torch.arange(count)):
            return order
        attempt += 1


def _rotate_patches(images: Tensor, grid: float, seeds: Sequence[int]) -> Tensor:
    patches = int(grid)
    if images.shape[2] // patches != images.shape[3] // patches:
        raise DataError(f"only square patches can be turned, not those of images of {tuple(images.shape[2:])} pixels")
    turns = (draw_scalars(seeds, patches * patches) * 3).long().add_(1).to(images.device)  # 90, 180 or 270 degrees
    pieces = cut_patches(images, patches)
    turned = torch.stack([pieces.rot90(quarter, (3, 4)) for quarter in (1, 2, 3)], 1)
    which = (turns - 1)[:, None, :, None, None, None].expand(-1, 1, -1, *pieces.shape[2:])
    return put_patches(images, turned.gather(1, which)[:, 0], patches)


def _mix_grey(images: Tensor, share: float, _seeds: Sequence[int]) -> Tensor:
    levels = images.float()
    red, green, blue = levels.unbind(1)
    grey = (red * _LUMA[0] + green * _LUMA[1] + blue * _LUMA[2])[:, None]
    return (levels * (1 - share) + grey * share).add_(0.5).clamp_(0, 255).to(torch.uint8)


def _shuffle_channels(images: Tensor, _strength: float, seeds: Sequence[int]) -> Tensor:
    order = torch.stack([_order(seed, 3) for seed in seeds]).to(images.device)
    return images.gather(1, order[:, :, None, None].expand_as(images))


Filter = Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]
"""``(H,W,3)`` uint8 RGB and the strength to the same."""


def _bilateral(image: NDArray[np.uint8], diameter: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.bilateralFilter(image, diameter, _BILATERAL_SIGMA[diameter], SIGMA_SPACE), np.uint8)


def _blur(image: NDArray[np.uint8], kernel: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.GaussianBlur(image, (kernel, kernel), 0), np.uint8)


def _non_local_means(image: NDArray[np.uint8], strength: int) -> NDArray[np.uint8]:
    bgr = np.ascontiguousarray(image[..., ::-1])  # it works in Lab, and takes blue for the first channel
    smooth = cv2.fastNlMeansDenoisingColored(bgr, None, strength, strength, _TEMPLATE, _SEARCH)
    return np.ascontiguousarray(np.asarray(smooth, np.uint8)[..., ::-1])


def _filtered(own: Filter) -> Callable[[Tensor, float, Sequence[int]], Tensor]:
    def run(images: Tensor, strength: float, _seeds: Sequence[int]) -> Tensor:
        def one(image: Tensor) -> Tensor:
            smooth = own(np.ascontiguousarray(image.permute(1, 2, 0).numpy()), int(strength))
            return torch.from_numpy(smooth).permute(2, 0, 1)

        return map_images(one, images.cpu()).to(images.device)

    return run


@dataclass(frozen=True)
class Suppression:
    """One way to take a feature away."""

    feature: str
    """``shape``, ``texture`` or ``colour``."""
    apply: Callable[[Tensor, float, Sequence[int]], Tensor]
    """``(B,3,H,W)`` uint8 images, strength, one seed per image -> the same."""
    unit: str
    """What the strength counts."""
    strengths: tuple[float, ...]
    """The published ones."""
    on_host: bool = False
    """Whether it runs on the CPU, image by image."""


_GRIDS = (2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0)
_KERNELS = (3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0)
_DIAMETERS = tuple(map(float, _BILATERAL_SIGMA))
SUPPRESSIONS: Mapping[str, Suppression] = {
    "patch_shuffle": Suppression("shape", _shuffle_patches, "patches per side", _GRIDS),
    "patch_rotation": Suppression("shape", _rotate_patches, "patches per side", _GRIDS),
    "bilateral": Suppression("texture", _filtered(_bilateral), "pixels", _DIAMETERS, on_host=True),
    "gaussian": Suppression("texture", _filtered(_blur), "pixels", _KERNELS, on_host=True),
    "non_local_means": Suppression(
        "texture", _filtered(_non_local_means), "strength", (5.0, 10.0, 15.0, 20.0, 25.0), on_host=True
    ),
    "greyscale": Suppression("colour", _mix_grey, "share of grey", (0.2, 0.4, 0.6, 0.8, 1.0)),
    "channel_shuffle": Suppression("colour", _shuffle_channels, "", (1.0,)),
}
"""By name."""


def check_suppression(name: str, strength: float) -> None:
    """Refuse a manipulation or a strength that does not exist.

    Raises:
        ConfigurationError: naming the nearest, or what it takes.
    """
    if name not in SUPPRESSIONS:
        raise ConfigurationError(f"unknown manipulation {name!r}: {nearest_names(name, SUPPRESSIONS)}")
    whole = strength == int(strength)
    allowed = {
        "patch_shuffle": (whole and strength >= 2, "a whole number of patches from 2 on"),
        "patch_rotation": (whole and strength >= 2, "a whole number of patches from 2 on"),
        "bilateral": (strength in _BILATERAL_SIGMA, f"a diameter among {list(_BILATERAL_SIGMA)}"),
        "gaussian": (whole and strength >= 3 and strength % 2 == 1, "an odd kernel from 3 on"),
        "non_local_means": (whole and strength >= 1, "a whole number from 1 on"),
        "greyscale": (0 < strength <= 1, "a share above 0, at most 1"),
        "channel_shuffle": (strength == 1, "1"),
    }
    fits, words = allowed[name]
    if not fits:
        raise ConfigurationError(f"{name} takes {words}, not {strength:g}")


@torch.no_grad()
def suppress(images: Tensor, condition: Condition, seeds: Sequence[int]) -> Tensor:
    """Take a feature away from each image of a batch.

    Args:
        images: ``(B,3,H,W)`` uint8, on any device.
        condition: name and strength of the manipulation (`SUPPRESSIONS`).
        seeds: one per image, in ``[0, 2**63)``.

    Returns:
        ``(B,3,H,W)`` uint8 on the device of ``images``.

    Raises:
        ConfigurationError: an unknown manipulation or strength.
        DataError: images that are not uint8, cannot be cut into so many patches, or another number of seeds.
    """
    check_suppression(condition.name, condition.strength)
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        raise DataError(f"uint8 images of shape (B,3,H,W) are needed, not {images.dtype} of {tuple(images.shape)}")
    if len(seeds) != len(images):
        raise DataError(f"{len(images)} images need as many seeds, not {len(seeds)}")
    return SUPPRESSIONS[condition.name].apply(images, condition.strength, seeds)
