"""The imagecorruptions package made reproducible: the slow oracle behind ``source=reference``.

The package draws from NumPy's global generator, except for impulse noise and glass blur, which ignore
``np.random.seed`` and take a seed of their own. Here every image has one seed and the global generator is left as it
was found.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import imagecorruptions
import numpy as np
import torch
from torch import Tensor

from bench.corruptions.request import check_request
from bench.records import Condition
from bench.seeding import derive_seed

_WITH_OWN_SEED = frozenset({"impulse_noise", "glass_blur"})


def corrupt_reference(images: Tensor, condition: Condition, seeds: Sequence[int]) -> Tensor:
    """Corrupt each image with the imagecorruptions package (its definition, not that of ImageNet-C).

    Args:
        images: ``(B,3,H,W)`` uint8, at least 32 pixels a side, on any device.
        condition: name of the corruption, and its severity 1-5 as the strength.
        seeds: one an image, in ``[0, 2**63)``; an image's result depends on its own seed alone.

    Returns:
        ``(B,3,H,W)`` uint8 on the device of ``images``.

    Raises:
        ConfigurationError: an unknown corruption or severity.
        DataError: images or seeds of the wrong type, shape or number.
    """
    severity = check_request(images, condition, seeds)
    corrupted = torch.empty_like(images, device="cpu", memory_format=torch.contiguous_format)
    for index, (image, seed) in enumerate(zip(images.cpu(), seeds, strict=True)):
        pixels = image.permute(1, 2, 0).contiguous().numpy()
        # numba's generator, which shuffles glass_blur, takes 32 bits
        own_seed = {"seed": derive_seed(seed, bits=32)} if condition.name in _WITH_OWN_SEED else {}
        with _global_numpy_seed(seed):
            result = imagecorruptions.corrupt(pixels, severity=severity, corruption_name=condition.name, **own_seed)
        corrupted[index] = torch.from_numpy(np.array(result)).permute(2, 0, 1)
    return corrupted.to(images.device)


@contextmanager
def _global_numpy_seed(seed: int) -> Iterator[None]:
    state = np.random.get_state()
    np.random.seed([seed % 2**32, seed >> 32])
    try:
        yield
    finally:
        np.random.set_state(state)
