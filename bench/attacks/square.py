"""Square attack (Andriushchenko et al. 2020, arXiv:1912.00049): random search over squares, scores only, in Linf."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.attacks.active_rows import ActiveRows
from bench.attacks.inputs import AttackInput, evaluate
from bench.attacks.result import Candidates

_BLOCK = 64
# Proposals drawn at once for an image; the stream of random numbers is the same whatever the block.

_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
# The paper's schedule for 10,000 proposals: after each of these the share of changed pixels halves.


@dataclass(frozen=True, kw_only=True)
class SquareSettings:
    """Budget of the Square attack."""

    queries: int = 5000
    """Proposals after the initial stripes; an image never broken costs one query more than this."""
    p_init: float = 0.8
    """Share of the image that the first squares change."""
    rescale: bool = True
    """Whether the schedule of square sizes is stretched to ``queries`` (AutoAttack leaves it as for 10,000)."""


def square_attack(inputs: AttackInput, epsilon: float, settings: SquareSettings) -> Candidates:
    """Square attack in Linf on the active set.

    Row ``i`` is bit for bit what the authors' code does with that image alone after ``torch.manual_seed(seeds[i])``:
    each image draws its own squares, and leaves once its margin is gone.

    Args:
        inputs: images to attack.
        epsilon: Linf radius.
        settings: the budget.
    """
    images, device = inputs.images, inputs.images.device
    n, channels, height, width = images.shape
    generators = [torch.Generator().manual_seed(seed) for seed in inputs.seeds]
    stripes = torch.stack([torch.rand(channels, 1, width, generator=source) for source in generators]).to(device)
    best = (images + epsilon * _sign(stripes)).clamp(0, 1)
    logits = evaluate(inputs.model, best)
    active = ActiveRows(n, device)
    margin, loss = _margin_and_loss(inputs, logits, active.on_device)
    queries = torch.ones(n, dtype=torch.int64)
    drawn, draws = torch.empty(n, _BLOCK, 2 + channels), torch.empty(0)
    active.split(margin <= 0)
    for proposal in range(settings.queries):
        if not len(active):
            break
        rows = active.on_device
        if proposal % _BLOCK == 0:
            for row in active.rows.tolist():
                drawn[row] = torch.rand(_BLOCK, 2 + channels, generator=generators[row])
            draws = drawn.to(device)
        side = square_side(settings, proposal, height, width)
        delta = _squares(draws[rows, proposal % _BLOCK], side, height, width) * (2.0 * epsilon)
        origin, before = images[rows], best[rows]
        moved = torch.minimum(torch.maximum(before + delta, origin - epsilon), origin + epsilon).clamp(0, 1)
        new_logits = evaluate(inputs.model, moved)
        new_margin, new_loss = _margin_and_loss(inputs, new_logits, rows)
        improved = new_loss < loss[rows]
        loss[rows] = torch.where(improved, new_loss, loss[rows])
        improved |= new_margin <= 0
        # all rows are written, and not the improved ones alone: how many these are, the host would have to ask
        best[rows] = torch.where(improved[:, None, None, None], moved, before)
        logits[rows] = torch.where(improved[:, None], new_logits, logits[rows])
        queries[active.rows] += 1
        active.split(improved & (new_margin <= 0))
    return Candidates(images=best, logits=logits, queries=queries)


def square_side(settings: SquareSettings, proposal: int, height: int, width: int) -> int:
    """Side in pixels of the square tried at this proposal."""
    step = int(proposal / settings.queries * 10_000) if settings.rescale else proposal
    share = settings.p_init / 2 ** sum(step > limit for limit in _HALVINGS)
    return min(max(round(math.sqrt(share * height * width)), 1), height, width)


def _sign(uniform: Tensor) -> Tensor:
    return torch.sign(2 * uniform - 1)


def _squares(draws: Tensor, side: int, height: int, width: int) -> Tensor:
    """``(m,C,H,W)`` of -1, 0, 1: one square an image, placed and signed by its ``(2+C)`` uniform draws."""
    top = (draws[:, :1] * (height - side)).long()
    left = (draws[:, 1:2] * (width - side)).long()
    rows, columns = torch.arange(height, device=draws.device), torch.arange(width, device=draws.device)
    inside_rows = (rows >= top) & (rows < top + side)
    inside_columns = (columns >= left) & (columns < left + side)
    mask = inside_rows[:, None, :, None] & inside_columns[:, None, None, :]
    return _sign(draws[:, 2:])[:, :, None, None] * mask


def _margin_and_loss(inputs: AttackInput, logits: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """The margin, gone when not positive, and the loss the search lowers (margin; cross-entropy when targeted)."""
    aim = inputs.aim[rows]
    own = logits.gather(1, aim[:, None]).squeeze(1)
    others = logits.scatter(1, aim[:, None], -torch.inf).amax(dim=1)
    if inputs.targets is None:
        return own - others, own - others
    return others - own, torch.nn.functional.cross_entropy(logits, aim, reduction="none")
