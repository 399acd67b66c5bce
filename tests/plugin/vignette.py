"""A plug-in in one file: a corruption that darkens the borders of images."""

import torch

from bench.corruptions import register_corruption


def vignette(images, severity, seeds):
    """Darker towards the corners, more so at a higher severity; nothing is drawn, so the seeds are not used."""
    height, width = images.shape[2:]
    rows, columns = torch.linspace(-1, 1, height), torch.linspace(-1, 1, width)
    distance = (rows[:, None] ** 2 + columns[None] ** 2).to(images.device) / 2
    return (images * (1 - 0.19 * severity * distance)).round().to(torch.uint8)


register_corruption("vignette", vignette)
