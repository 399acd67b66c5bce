"""How many images an accelerator is given at once, where nobody says: what its memory holds, up to `GPU_BATCH`."""

import logging
import math

import torch
from torch import nn

CPU_BATCH, GPU_BATCH = 32, 256
_FEW, _MORE = 1, 4
"""Images of the two passes whose peaks are compared."""
_COPIES = 12
"""Images in float32 that an attack or a corruption holds per image, beside the classifier's activations."""
_SHARE = 0.8
"""Of the free memory: an allocator leaves gaps."""

_log = logging.getLogger(__name__)


def automatic_batch(classifier: nn.Module, device: torch.device) -> int:
    """The batch size for a classifier on a device.

    The peak memory of a forward and backward pass is measured at two small batches. It grows in step with the images,
    so that two peaks give the bytes per image. Where the prediction is wrong, the sweep halves the batch.

    Args:
        classifier: on ``device``, with an ``input_size``.
        device: where it runs.

    Returns:
        A power of two: `CPU_BATCH` on the CPU, else at most `GPU_BATCH`.
    """
    if device.type == "cpu":
        return CPU_BATCH
    memory = torch.get_device_module(device)
    size = getattr(classifier, "input_size", None)
    if size is None or not hasattr(memory, "max_memory_allocated"):
        return GPU_BATCH
    try:
        few, more = (_peak(classifier, count, size, device) for count in (_FEW, _MORE))
    except torch.OutOfMemoryError:
        return _FEW
    except Exception:  # a guess only: whatever is wrong with the classifier, the sweep itself says it of a cell
        return GPU_BATCH
    per_pass = (more - few) / (_MORE - _FEW)
    per_image = per_pass + _COPIES * 3 * math.prod(size) * 4
    free = memory.mem_get_info(device)[0] + memory.memory_reserved(device) - memory.memory_allocated(device)
    fitting = int((_SHARE * free - max(0.0, few - _FEW * per_pass)) / per_image)
    batch = 1 << int(math.log2(min(GPU_BATCH, max(1, fitting))))
    if batch < GPU_BATCH:
        _log.info("batches of %d: an image takes %.0f MB of the %.0f free", batch, per_image / 1e6, free / 1e6)
    return batch


def _peak(classifier: nn.Module, count: int, size: tuple[int, int], device: torch.device) -> int:
    """Bytes that a forward and backward pass of ``count`` images takes at its peak, beyond what is taken now."""
    memory = torch.get_device_module(device)
    images = torch.full((count, 3, *size), 0.5, device=device, requires_grad=True)
    before = memory.memory_allocated(device)
    memory.reset_peak_memory_stats(device)
    with torch.enable_grad():
        logits = classifier(images)
        if logits.requires_grad:
            torch.autograd.grad(logits.sum(), images)
    return int(memory.max_memory_allocated(device)) - int(before)
