"""Images cut into a grid of patches, and put together again."""

from torch import Tensor

from bench.errors import DataError


def cut_patches(images: Tensor, patches: int) -> Tensor:
    """``(B, P*P, 3, h, w)``, row by row: as large as fit; what is left over at the right and bottom is in none.

    Raises:
        DataError: the images have fewer pixels than patches a side.
    """
    tall, wide = images.shape[2] // patches, images.shape[3] // patches
    if not (tall and wide):
        raise DataError(f"an image of {tuple(images.shape[2:])} pixels cannot be cut into {patches} patches a side")
    inner = images[:, :, : tall * patches, : wide * patches]
    return inner.reshape(len(images), 3, patches, tall, patches, wide).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)


def put_patches(images: Tensor, pieces: Tensor, patches: int) -> Tensor:
    """The images with ``(B, P*P, 3, h, w)`` pieces in place of their own; the pixels left over stay."""
    tall, wide = pieces.shape[3:]
    cut = pieces.reshape(len(images), patches, patches, 3, tall, wide).permute(0, 3, 1, 4, 2, 5)
    whole = images.clone()
    whole[:, :, : tall * patches, : wide * patches] = cut.reshape(len(images), 3, tall * patches, wide * patches)
    return whole
