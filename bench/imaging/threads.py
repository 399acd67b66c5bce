"""One function for each image of a batch on the CPU, on as many threads as torch may use."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor


def map_images(function: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """``(B,...)`` results of ``function`` for each of ``B`` images on the CPU, contiguous.

    ``function`` must be one that releases Python's lock, as libjpeg's and Pillow's do, for threads to be of use.
    """
    threads = min(torch.get_num_threads(), len(images))
    if threads < 2:
        return torch.stack([function(image) for image in images])
    with ThreadPoolExecutor(threads) as pool:
        return torch.stack(list(pool.map(function, images)))
