"""Where an attribution map looks: on the object or beside it, at the image's centre, at one place or everywhere."""

import math

import torch
from torch import Tensor

CENTRE_SIGMA = 0.25
"""Standard deviation of the centred baseline, as a share of the image's side."""


def energy_inside(maps: Tensor, masks: Tensor) -> Tensor:
    """Share of each map's positive values that lies in its region: the energy-based pointing game.

    Wang et al. 2020, "Score-CAM"; the paper's regions are bounding boxes.

    Args:
        maps: ``(B,H,W)`` attributions; negative values count as 0.
        masks: ``(B,H,W)`` bool.

    Returns:
        ``(B,)`` float64 in [0,1]; NaN where the map has no positive value or the region no pixel.
    """
    heat = maps.double().clamp(min=0)
    total = heat.sum(dim=(1, 2))
    share = (heat * masks).sum(dim=(1, 2)) / total
    return share.where((total > 0) & masks.any(dim=(1, 2)), math.nan)


def pointing_hits(maps: Tensor, masks: Tensor) -> Tensor:
    """Whether each map's maximum lies in its region: the pointing game.

    Zhang et al. 2018, "Top-down neural attention by excitation backprop". The paper forgives a distance of 15 pixels;
    here the maximum itself must lie inside.

    Args:
        maps: ``(B,H,W)`` attributions; of equal maxima the first in row order counts.
        masks: ``(B,H,W)`` bool.

    Returns:
        ``(B,)`` float64: 1 a hit, 0 a miss; NaN where the map has no positive value or the region no pixel.
    """
    peak, place = maps.flatten(1).max(dim=1)
    hits = masks.flatten(1).gather(1, place[:, None]).squeeze(1).double()
    return hits.where((peak > 0) & masks.any(dim=(1, 2)), math.nan)


def centre_distance(maps: Tensor) -> Tensor:
    """Distance of each map's centre of mass from the image's centre: 0 at the centre, 1 in a corner.

    Args:
        maps: ``(B,H,W)`` attributions; negative values count as 0.

    Returns:
        ``(B,)`` float64 in [0,1]; NaN where the map has no positive value.
    """
    heat = maps.double().clamp(min=0)
    height, width = maps.shape[1:]
    rows = torch.arange(height, dtype=torch.float64, device=maps.device) - (height - 1) / 2
    columns = torch.arange(width, dtype=torch.float64, device=maps.device) - (width - 1) / 2
    total = heat.sum(dim=(1, 2))
    down, across = (heat.sum(dim=2) @ rows) / total, (heat.sum(dim=1) @ columns) / total
    return torch.hypot(down, across) / max(math.hypot(height - 1, width - 1) / 2, 1)


def entropy(maps: Tensor) -> Tensor:
    """Shannon entropy of each map as a distribution over its pixels, of the largest possible: 1 is flat, 0 one pixel.

    Args:
        maps: ``(B,H,W)`` attributions; negative values count as 0.

    Returns:
        ``(B,)`` float64 in [0,1]; NaN where the map has no positive value.
    """
    heat = maps.double().clamp(min=0).flatten(1)
    total = heat.sum(dim=1)
    nats: Tensor = torch.special.entr(heat / total[:, None]).sum(dim=1)
    return (nats / math.log(heat.shape[1])).where(total > 0, math.nan)


def centred_baseline(height: int, width: int) -> Tensor:
    """A map that knows nothing but the centre: a Gaussian stretched to the image's shape.

    Photographers put objects in the middle, so that it does well in any score of location; what a map is worth is how
    far it is above (Judd et al. 2012, "A benchmark of computational models of saliency to predict human fixations",
    use the same baseline; the width, ``CENTRE_SIGMA``, is ours).

    Returns:
        ``(1,H,W)`` float64, largest at the centre.
    """
    sides = [
        torch.exp(-0.5 * ((torch.arange(side, dtype=torch.float64) - (side - 1) / 2) / (CENTRE_SIGMA * side)) ** 2)
        for side in (height, width)
    ]
    return torch.outer(*sides)[None]
