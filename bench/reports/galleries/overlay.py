"""An image covered by a heat map."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_erosion
from torch import Tensor

HEAT = np.array([[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]], dtype=np.float64)
"""Five colours of the map called inferno, from dark to bright."""


def heat_colours(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(H,W)`` in [0,1] to ``(H,W,3)`` in [0,255]."""
    return np.stack([np.interp(values, np.linspace(0, 1, len(HEAT)), channel) for channel in HEAT.T], axis=-1)


def overlay(image: Tensor, heat: Tensor, region: NDArray[np.bool_] | None) -> Image.Image:
    """An image half covered by its map's positive values, from dark to bright, and the region's outline in white.

    Args:
        image: ``(3,H,W)`` uint8.
        heat: ``(H,W)``; scaled by its own maximum.
        region: ``(H,W)``.
    """
    values = heat.clamp(min=0).double().numpy()
    values = values / max(values.max(), 1e-12)
    mixed = 0.5 * image.permute(1, 2, 0).numpy() + 0.5 * heat_colours(values)
    if region is not None:
        width = max(1, round(len(region) / 100))
        mixed[region & ~binary_erosion(region, iterations=width, border_value=0)] = 255
    return Image.fromarray(mixed.round().astype(np.uint8))


def sparse_heat(heat: Tensor) -> Image.Image:
    """A map of few strong pixels, such as a gradient's, in grey: 0 is black, the 99th percentile white.

    Args:
        heat: ``(H,W)``; negative values are black.
    """
    values = heat.clamp(min=0).double().cpu().numpy()
    top = max(float(np.quantile(values, 0.99)), 1e-12)
    return Image.fromarray((np.minimum(values / top, 1) * 255).round().astype(np.uint8)).convert("RGB")
