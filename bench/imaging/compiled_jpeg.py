"""The JPEG round trip of one image on one core: the steps of `bench.imaging.jpeg`, compiled by numba.

numba adds in 64 bits unless a sum is cast, and LLVM fills vector registers only where every sum is an int32: hence the
casts. The cosine transforms work on `LANES` blocks side by side, at distances in memory that the compiler knows.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bench.machine_code import inner, kept

LANES = 16
_BLOCK = 64 * LANES
_HALF = 1 << 15
_MIDDLE = 128
_CENTER = (_MIDDLE << 16) + _HALF - 1

Plane = NDArray[np.uint8]
Steps = NDArray[np.int32]
Work = NDArray[np.int32]


def _make_forward(stride: int, up: int, down: int, shift: int) -> Callable[[Work, int], None]:
    """`bench.imaging.dct`'s forward transform of one row or column in `LANES` blocks; samples lie ``stride`` apart."""
    round_end, half = (1 << down) >> 1, 1 << (shift - 1)
    at1, at2, at3, at4, at5, at6, at7 = (np.uint64(stride * step) for step in range(1, 8))

    @inner
    def forward(work: Work, start: int) -> None:
        for lane in range(LANES):
            p = np.uint64(start) + np.uint64(lane)
            d0, d1, d2, d3 = work[p], work[p + at1], work[p + at2], work[p + at3]
            d4, d5, d6, d7 = work[p + at4], work[p + at5], work[p + at6], work[p + at7]
            a0, a1, a2, a3 = np.int32(d0 + d7), np.int32(d1 + d6), np.int32(d2 + d5), np.int32(d3 + d4)
            b0, b1, b2, b3 = np.int32(d3 - d4), np.int32(d2 - d5), np.int32(d1 - d6), np.int32(d0 - d7)
            outer, inner = np.int32(a0 + a3), np.int32(a1 + a2)
            difference0, difference1 = np.int32(a0 - a3), np.int32(a1 - a2)
            turned = np.int32((difference0 + difference1) * 4433)
            o0, o1, o2, o3 = _odd_part(b0, b1, b2, b3)
            work[p] = np.int32((outer + inner) * (1 << up) + round_end) >> down
            work[p + at4] = np.int32((outer - inner) * (1 << up) + round_end) >> down
            work[p + at2] = np.int32(turned + difference0 * 6270 + half) >> shift
            work[p + at6] = np.int32(turned - difference1 * 15137 + half) >> shift
            work[p + at1] = np.int32(o3 + half) >> shift
            work[p + at3] = np.int32(o2 + half) >> shift
            work[p + at5] = np.int32(o1 + half) >> shift
            work[p + at7] = np.int32(o0 + half) >> shift

    return forward


def _make_inverse(stride: int, shift: int) -> Callable[[Work, int], None]:
    """`bench.imaging.dct`'s inverse transform of one row or column in `LANES` blocks."""
    half = 1 << (shift - 1)
    at1, at2, at3, at4, at5, at6, at7 = (np.uint64(stride * step) for step in range(1, 8))

    @inner
    def inverse(work: Work, start: int) -> None:
        for lane in range(LANES):
            p = np.uint64(start) + np.uint64(lane)
            c0, c1, c2, c3 = work[p], work[p + at1], work[p + at2], work[p + at3]
            c4, c5, c6, c7 = work[p + at4], work[p + at5], work[p + at6], work[p + at7]
            turned = np.int32((c2 + c6) * 4433)
            e2, e3 = np.int32(turned - c6 * 15137), np.int32(turned + c2 * 6270)
            e0, e1 = np.int32(np.int32(c0 + c4) << 13), np.int32(np.int32(c0 - c4) << 13)
            v0, v1 = np.int32(e0 + e3 + half), np.int32(e1 + e2 + half)
            v2, v3 = np.int32(e1 - e2 + half), np.int32(e0 - e3 + half)
            o3, o2, o1, o0 = _odd_part(c7, c5, c3, c1)
            work[p] = np.int32(v0 + o0) >> shift
            work[p + at1] = np.int32(v1 + o1) >> shift
            work[p + at2] = np.int32(v2 + o2) >> shift
            work[p + at3] = np.int32(v3 + o3) >> shift
            work[p + at4] = np.int32(v3 - o3) >> shift
            work[p + at5] = np.int32(v2 - o2) >> shift
            work[p + at6] = np.int32(v1 - o1) >> shift
            work[p + at7] = np.int32(v0 - o0) >> shift

    return inverse


@inner
def _odd_part(t0: np.int32, t1: np.int32, t2: np.int32, t3: np.int32) -> tuple[np.int32, np.int32, np.int32, np.int32]:
    common = np.int32((t0 + t1 + t2 + t3) * 9633)
    z1, z2 = np.int32((t0 + t3) * -7373), np.int32((t1 + t2) * -20995)
    z3, z4 = np.int32((t0 + t2) * -16069 + common), np.int32((t1 + t3) * -3196 + common)
    return (
        np.int32(t0 * 2446 + z1 + z3),
        np.int32(t1 * 16819 + z2 + z4),
        np.int32(t2 * 25172 + z2 + z3),
        np.int32(t3 * 12299 + z1 + z4),
    )


_forward_row = _make_forward(LANES, 2, 0, 11)
_forward_column = _make_forward(8 * LANES, 0, 2, 15)
_inverse_column = _make_inverse(8 * LANES, 11)
_inverse_row = _make_inverse(LANES, 18)


@inner
def _gather(plane: Plane, first: int, work: Work) -> None:
    """The blocks of ``plane`` from number ``first`` on, about zero, one in each lane; lanes past the end repeat one."""
    across = plane.shape[1] // 8
    for lane in range(LANES):
        down, right = divmod(min(first + lane, plane.size // 64 - 1), across)
        for y in range(8):
            for x in range(8):
                work[(y * 8 + x) * LANES + lane] = np.int32(plane[8 * down + y, 8 * right + x]) - _MIDDLE


@inner
def _scatter(work: Work, first: int, plane: Plane) -> None:
    """The inverse of `_gather`, clipped to 8 bits."""
    across = plane.shape[1] // 8
    for index in range(_BLOCK):
        work[index] = min(max(work[index] + _MIDDLE, 0), 255)
    for lane in range(LANES):
        down, right = divmod(min(first + lane, plane.size // 64 - 1), across)
        for y in range(8):
            for x in range(8):
                plane[8 * down + y, 8 * right + x] = work[(y * 8 + x) * LANES + lane]


@inner
def quantise(work: Work, steps: Steps, inverses: NDArray[np.float32]) -> None:
    """Coefficients times 8 rounded to whole multiples of ``steps``; ``inverses`` are ``1 / (8 * steps)``."""
    for position in range(64):
        # |coefficient| + half a step is below 2**15: with the added half, float32 never crosses a whole number
        step, half, inverse = steps[position], np.float32(4 * steps[position] + 0.5), inverses[position]
        for lane in range(LANES):
            value = work[position * LANES + lane]
            size = np.int32(np.int32(np.float32(np.float32(abs(value)) + half) * inverse) * step)
            work[position * LANES + lane] = size if value >= 0 else -size


@inner
def _through_blocks(plane: Plane, steps: Steps) -> None:
    """``(8m,8n)`` samples after cosine transform, quantisation and back, in place."""
    work = np.empty(_BLOCK, np.int32)
    inverses = (1 / (8 * steps)).astype(np.float32)
    for first in range(0, plane.size // 64, LANES):
        _gather(plane, first, work)
        for y in range(8):
            _forward_row(work, y * 8 * LANES)
        for x in range(8):
            _forward_column(work, x * LANES)
        quantise(work, steps, inverses)
        for x in range(8):
            _inverse_column(work, x * LANES)
        for y in range(8):
            _inverse_row(work, y * 8 * LANES)
        _scatter(work, first, plane)


@inner
def _to_ycc(image: Plane, luminance: Plane, blue: Plane, red: Plane) -> None:
    for i in range(image.shape[1]):
        for j in range(image.shape[2]):
            r, g, b = np.int32(image[0, i, j]), np.int32(image[1, i, j]), np.int32(image[2, i, j])
            luminance[i, j] = np.int32(19595 * r + 38470 * g + 7471 * b + _HALF) >> 16
            blue[i, j] = np.int32(-11059 * r - 21709 * g + 32768 * b + _CENTER) >> 16
            red[i, j] = np.int32(32768 * r - 27439 * g - 5329 * b + _CENTER) >> 16


@inner
def _repeat_edge(plane: Plane, height: int, width: int) -> None:
    """Fill ``plane`` beyond ``height`` and ``width`` with its last row and column."""
    for i in range(height):
        plane[i, width:] = plane[i, width - 1]
    for i in range(height, plane.shape[0]):
        plane[i] = plane[height - 1]


@inner
def _downsample(plane: Plane, height: int) -> Plane:
    """Means of 2 x 2 samples for ``height`` rows, whose last is repeated; halves are rounded down and up in turn."""
    half = np.empty((plane.shape[0] // 2, plane.shape[1] // 2), np.uint8)
    for i in range(height):
        above, below = plane[2 * i], plane[2 * i + 1]
        for j in range(half.shape[1]):
            total = np.int32(above[2 * j]) + above[2 * j + 1] + below[2 * j] + below[2 * j + 1]
            half[i, j] = np.int32(total + 1 + (j & 1)) >> 2
    _repeat_edge(half, height, half.shape[1])
    return half


@inner
def _upsample_row(plane: Plane, i: int, height: int, width: int, mixed: Work, row: Plane) -> None:
    """Row ``i`` at twice the size of the ``(height,width)`` samples in ``plane``, into ``row``."""
    own = i // 2
    other = max(own - 1, 0) if i % 2 == 0 else min(own + 1, height - 1)
    if width <= 2:  # libjpeg does not interpolate so few
        for j in range(width):
            row[2 * j] = row[2 * j + 1] = plane[own, j]
        return
    for j in range(width):
        mixed[j] = 3 * np.int32(plane[own, j]) + np.int32(plane[other, j])
    row[0] = np.int32(4 * mixed[0] + 8) >> 4
    for j in range(1, width):
        row[2 * j - 1] = np.int32(3 * mixed[j - 1] + mixed[j] + 7) >> 4
        row[2 * j] = np.int32(3 * mixed[j] + mixed[j - 1] + 8) >> 4
    row[2 * width - 1] = np.int32(4 * mixed[width - 1] + 7) >> 4


@inner
def _to_rgb(luminance: Plane, blue: Plane, red: Plane, i: int, image: Plane) -> None:
    """Row ``i`` of ``image`` from its row of luminance and of both chroma planes."""
    reds, greens, blues = image[0, i], image[1, i], image[2, i]
    low, high = np.int32(0), np.int32(255)
    for j in range(image.shape[2]):
        y, b, r = np.int32(luminance[j]), np.int32(blue[j] - _MIDDLE), np.int32(red[j] - _MIDDLE)
        reds[j] = min(max(np.int32(y + (np.int32(91881 * r + _HALF) >> 16)), low), high)
        greens[j] = min(max(np.int32(y + (np.int32(-22554 * b - 46802 * r + _HALF) >> 16)), low), high)
        blues[j] = min(max(np.int32(y + (np.int32(116130 * b + _HALF) >> 16)), low), high)


@kept
def round_trip_image(image: Plane, luminance_steps: Steps, chroma_steps: Steps) -> Plane:
    """Save as JPEG and read again.

    Args:
        image: ``(3,H,W)`` uint8.
        luminance_steps: ``(64,)`` int32 quantisation steps, row by row.
        chroma_steps: The same of both chroma planes.

    Returns:
        ``(3,H,W)`` uint8.
    """
    height, width = image.shape[1:]
    padded = (-(-height // 16) * 16, -(-width // 16) * 16)
    luminance, blue, red = np.empty(padded, np.uint8), np.empty(padded, np.uint8), np.empty(padded, np.uint8)
    _to_ycc(image, luminance, blue, red)
    for plane in (luminance, blue, red):
        _repeat_edge(plane, height, width)
    half_height, half_width = -(-height // 2), -(-width // 2)
    half_blue, half_red = _downsample(blue, half_height), _downsample(red, half_height)
    _through_blocks(luminance, luminance_steps)
    _through_blocks(half_blue, chroma_steps)
    _through_blocks(half_red, chroma_steps)
    result = np.empty(image.shape, np.uint8)
    mixed = np.empty(half_width, np.int32)
    blue_row, red_row = np.empty(2 * half_width, np.uint8), np.empty(2 * half_width, np.uint8)
    for i in range(height):
        _upsample_row(half_blue, i, half_height, half_width, mixed, blue_row)
        _upsample_row(half_red, i, half_height, half_width, mixed, red_row)
        _to_rgb(luminance[i], blue_row, red_row, i, result)
    return result
