"""How closely the batched corruptions must follow a reference, and how to give them the reference's draws."""

import torch
from recorded_draws import record

from bench.corruptions.batched import BATCHED

EXACT = ("shot_noise", "impulse_noise", "frost", "contrast", "pixelate", "jpeg_compression", "saturate")
BEYOND_ONE_LEVEL = {
    # a pixel at the edge of a drop may fall on the other side of a threshold in float32
    "spatter": 2e-5,
    # a level that differs by one before the shuffle differs once more after the second blur
    "glass_blur": 2e-6,
}
"""Share of bytes that may be off by more than one level."""


def agree(ours, reference, name):
    """At most one level off on at most 0.5 % of the bytes, but for the exceptions above."""
    off = (ours.int() - reference.int()).abs()
    allowed = 0.0 if name in EXACT else 0.005
    assert (off > 0).float().mean() <= allowed
    assert (off > 1).float().mean() <= BEYOND_ONE_LEVEL.get(name, 0.0)


def inject(images, name, setting):
    """Corrupt with the reference's own draws."""
    corruption = BATCHED[name]
    parts = [
        corruption.apply(image[None], record(name, image, setting, seed), setting) for seed, image in enumerate(images)
    ]
    return torch.cat(parts)
