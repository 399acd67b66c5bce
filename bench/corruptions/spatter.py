"""Spatter: drops of water (severities 1 to 3) or mud (4 and 5)."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.corruptions.draws import Corruption, Draws, Parameters, Setting
from bench.corruptions.lines import gaussian
from bench.rng import draw_normal

SPATTER = Parameters(
    imagenet_c=(
        (0.65, 0.3, 4.0, 0.69, 0.6),
        (0.65, 0.3, 3.0, 0.68, 0.6),
        (0.65, 0.3, 2.0, 0.68, 0.5),
        (0.65, 0.3, 1.0, 0.65, 1.5),
        (0.67, 0.4, 1.0, 0.65, 1.5),
    ),
    cifar10_c=(
        (0.62, 0.1, 0.7, 0.7, 0.5),
        (0.65, 0.1, 0.8, 0.7, 0.5),
        (0.65, 0.3, 1.0, 0.69, 0.5),
        (0.65, 0.1, 0.7, 0.69, 0.6),
        (0.65, 0.1, 0.5, 0.68, 0.6),
    ),
)
"""Mean and deviation of the liquid, its smoothness, threshold, and the water's opacity or the mud's smoothness."""
_WATER = (175, 238, 238)
_MUD = (63, 42, 20)
_FIRST_MUD = 4


def _sample_spatter(images: Tensor, _setting: Setting, seeds: Sequence[int]) -> Draws:
    return {"liquid": draw_normal(seeds, images.shape[2:], images.device)}


def _apply_spatter(images: Tensor, draws: Draws, setting: Setting) -> Tensor:
    mean, deviation, smoothness, threshold, finish = setting.choose(SPATTER)
    # float64: the layer is cut at thresholds, where a rounding becomes a drop more or less
    liquid = gaussian((draws["liquid"].double() * deviation + mean)[:, None], (smoothness, smoothness))
    levels = images.float()
    if setting.severity >= _FIRST_MUD:
        mud = gaussian((liquid > threshold).float(), (finish, finish))
        mud = torch.where(mud < 0.8, 0.0, mud)
        levels = levels * (1 - mud) + mud * _color(_MUD, images.device)
    else:
        layers = torch.where(liquid < threshold, 0.0, liquid)[:, 0].cpu().numpy()
        water = torch.from_numpy(np.stack([_water(layer) for layer in layers])).to(images.device)
        levels = levels.add_(water[:, None] * finish * _color(_WATER, images.device))
    return levels.add_(5e-5).clamp_(0, 255).to(torch.uint8)


def _color(color: tuple[int, int, int], device: torch.device) -> Tensor:
    return torch.tensor(color, dtype=torch.float32, device=device).view(3, 1, 1)


def _water(layer: NDArray[np.float64]) -> NDArray[np.float32]:
    """``(H,W)`` opacity in [0,1] of the drops: thickest at their rims, by OpenCV's edge and distance operators."""
    liquid = (layer * 255).astype(np.uint8)
    distance = cv2.distanceTransform(255 - cv2.Canny(liquid, 50, 150), cv2.DIST_L2, 5)
    distance = np.minimum(distance, 20)
    distance = cv2.equalizeHist(cv2.blur(distance, (3, 3)).astype(np.uint8))
    relief = cv2.filter2D(distance, cv2.CV_8U, np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]))
    opacity = np.multiply(liquid, cv2.blur(relief, (3, 3)), dtype=np.float32)
    # a small image may hold no drop: the originals divide by zero there, and this leaves it clean
    return np.asarray(opacity / (opacity.max() or 1), dtype=np.float32)


SPATTERING = Corruption(_sample_spatter, _apply_spatter)
