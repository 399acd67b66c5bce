"""How the positions of an image lie in a feature tensor: NCHW, NHWC or tokens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Where height, width and channels are."""

    kind: Literal["NCHW", "NHWC", "tokens"]
    """``tokens`` is ``(B, prefix + height * width, C)``, row by row."""
    height: int
    width: int
    prefix: int = 0
    """Tokens in front that belong to no position (class, distillation and register tokens)."""

    def as_map(self, features: Tensor) -> Tensor:
        """``features`` seen as ``(B,C,height,width)``; prefix tokens are left out."""
        if self.kind == "NCHW":
            return features
        if self.kind == "NHWC":
            return features.permute(0, 3, 1, 2)
        grid = features[:, self.prefix :].reshape(len(features), self.height, self.width, -1)
        return grid.permute(0, 3, 1, 2)


def read_layout(
    shape: Sequence[int], image_size: tuple[int, int], *, prefixes: Sequence[int], channels: int | None = None
) -> Layout | None:
    """The layout of a feature tensor of one image, or ``None`` when it is no map with more than one position.

    A map has the aspect ratio of the image, to within one cell. Where both NCHW and NHWC would fit, ``channels``
    decides.

    Args:
        shape: shape of the feature tensor, batch first.
        image_size: height and width of the image in pixels.
        prefixes: how many prefix tokens there may be, likeliest first.
        channels: width of the network's features, if known.
    """
    if len(shape) == 4:
        last_is_channels = shape[3] == channels != shape[1]
        readings: list[Layout] = [Layout("NCHW", shape[2], shape[3]), Layout("NHWC", shape[1], shape[2])]
        candidates = iter(reversed(readings) if last_is_channels else readings)
    elif len(shape) == 3:
        candidates = _token_grids(shape[1], prefixes)
    else:
        return None
    return next((layout for layout in candidates if _fits(layout, image_size)), None)


def _token_grids(count: int, prefixes: Sequence[int]) -> Iterator[Layout]:
    for prefix in prefixes:
        positions = count - prefix
        for height in range(1, positions + 1):
            if positions % height == 0:
                yield Layout("tokens", height, positions // height, prefix)


def _fits(layout: Layout, image_size: tuple[int, int]) -> bool:
    height, width = image_size
    if layout.height * layout.width < 2 or layout.height > height or layout.width > width:
        return False
    return abs(layout.height - layout.width * height / width) < 1
