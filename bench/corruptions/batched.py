"""The 19 corruptions in batched torch: the fast ``source=batched``, on a CPU or an accelerator."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from bench.corruptions import blur, color, digital, noise, spatter, weather
from bench.corruptions.catalogue import PLUGGED, Definition, check_definition
from bench.corruptions.draws import Corruption, Setting
from bench.corruptions.request import check_request, check_size
from bench.records import Condition

BATCHED: Mapping[str, Corruption] = {
    "gaussian_noise": noise.GAUSSIAN_NOISE,
    "shot_noise": noise.SHOT_NOISE,
    "impulse_noise": noise.IMPULSE_NOISE,
    "defocus_blur": blur.DEFOCUS_BLUR,
    "glass_blur": blur.GLASS_BLUR,
    "motion_blur": blur.MOTION_BLUR,
    "zoom_blur": blur.ZOOM_BLUR,
    "snow": weather.SNOW_FALL,
    "frost": weather.FROST_COVER,
    "fog": weather.FOG_BANK,
    "brightness": color.BRIGHTNESS_SHIFT,
    "contrast": color.CONTRAST_LOSS,
    "elastic_transform": digital.ELASTIC_TRANSFORM,
    "pixelate": digital.PIXELATION,
    "jpeg_compression": digital.JPEG_COMPRESSION,
    "speckle_noise": noise.SPECKLE_NOISE,
    "gaussian_blur": blur.GAUSSIAN_BLUR,
    "spatter": spatter.SPATTERING,
    "saturate": color.SATURATION,
}
"""Every corruption by name."""

_ACCELERATOR_CHUNK = 128
"""Images corrupted together on an accelerator: enough that launches do not take the time."""
_PADDED_CHUNK = 32
"""Likewise for those that are padded to one size: a smaller batch costs as much as this one."""


@torch.no_grad()
def corrupt(
    images: Tensor, condition: Condition, seeds: Sequence[int], *, definition: Definition = "imagenet_c"
) -> Tensor:
    """Corrupt a batch of images.

    An image's bytes depend on the image, the condition, the definition and its own seed alone, whatever the batch it
    comes in and on however many devices of one type. Draws are the same bits on every type of device; what a device
    rounds otherwise may move a byte by one level. All run on the images' device, but for the outlines of spatter's
    drops, which stay on the CPU.

    Args:
        images: ``(B,3,H,W)`` uint8, at least 32 pixels a side, on any device.
        condition: name of the corruption, and its severity 1-5 as the strength.
        seeds: one an image, in ``[0, 2**63)``.
        definition: ``imagenet_c``, which every published mCE means; ``imagecorruptions``, which differs from it in
            elastic_transform, frost, motion_blur and snow, and at sizes other than 224 in zoom_blur, fog and pixelate;
            or ``cifar10_c``, the published CIFAR-10-C: parameters of its own, for 32 x 32 images alone.

    Returns:
        ``(B,3,H,W)`` uint8 on the device of ``images``.

    Raises:
        ConfigurationError: an unknown corruption, severity or definition.
        DataError: images or seeds of the wrong type, shape or number.

    References:
        Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations",
        ICLR 2019.
    """
    check_definition(definition)
    severity = check_request(images, condition, seeds)
    if condition.name in PLUGGED:
        return PLUGGED[condition.name](images, severity, seeds)
    setting = Setting(severity, definition)
    check_size(images, definition)
    corruption = BATCHED[condition.name]
    on_cpu = images.device.type == "cpu"
    padded = corruption.fixed_batch and not on_cpu
    chunk = corruption.chunk if on_cpu else _PADDED_CHUNK if padded else _ACCELERATOR_CHUNK
    corrupted = torch.empty_like(images, memory_format=torch.contiguous_format)
    for start in range(0, len(images), chunk):
        part, part_seeds = images[start : start + chunk].contiguous(), list(seeds[start : start + chunk])
        kept = len(part)
        if padded and kept < chunk:
            part = torch.cat([part, part[-1:].expand(chunk - kept, -1, -1, -1)])
            part_seeds += part_seeds[-1:] * (chunk - kept)
        draws = corruption.sample(part, setting, part_seeds)
        corrupted[start : start + kept] = corruption.apply(part, draws, setting)[:kept]
    return corrupted
