"""One-pixel attack (Su, Vargas & Sakurai 2019, arXiv:1710.08864): differential evolution over pixel and colour."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.attacks.active_rows import ActiveRows
from bench.attacks.inputs import AttackInput, evaluate
from bench.attacks.result import Candidates, Settled, in_order
from bench.errors import ConfigurationError
from bench.imaging.division import divide


@dataclass(frozen=True, kw_only=True)
class OnePixelSettings:
    """Budget of the search; the defaults are the paper's."""

    population: int = 400
    """Candidates an image keeps."""
    generations: int = 100
    """Generations after the first population: an image costs at most ``population * (generations + 1)`` queries."""
    scale: float = 0.5
    """F: child = r1 + F (r2 - r3); there is no crossover."""
    batch_size: int | None = None
    """Candidates of all images shown to the classifier at once; None suits the device. No outcome depends on it."""

    def __post_init__(self) -> None:
        if self.population < 4:
            raise ConfigurationError(f"one_pixel: population must be at least 4, got {self.population}")


def one_pixel_attack(inputs: AttackInput, pixels: int, settings: OnePixelSettings) -> Candidates:
    """Search every image's best ``pixels`` pixels, all images and candidates batched; broken images leave.

    Fitness is the paper's probability of the true (or target) class, compared as its logarithm, which orders the
    same and does not saturate. Colours are 8-bit levels, as in the paper. An image leaves after the first generation
    in which a candidate is adversarial, with the fittest such candidate; the others end with their fittest candidate.

    Args:
        inputs: images to attack; each draws from its own seed.
        pixels: how many pixels may change, k.
        settings: the budget.
    """
    images, size = inputs.images, inputs.images.shape[-2:]
    batch_size = settings.batch_size or forward_batch(images.device, *size)
    sources = [np.random.Generator(np.random.PCG64(seed)) for seed in inputs.seeds]
    children = genes = _first_population(sources, pixels, settings.population, size).to(images.device)
    fitness = torch.full(genes.shape[:2], torch.inf, device=images.device)
    active = ActiveRows(len(inputs), images.device)
    queries = torch.zeros(len(inputs), dtype=torch.int64)
    settled = []
    for generation in range(settings.generations + 1):
        if generation:
            children = _children([sources[row] for row in active.rows.tolist()], genes, settings.scale, size)
        rows = active.on_device
        scores = _show(inputs, children, rows, batch_size)
        queries[active.rows] += settings.population
        cost, adversarial = _fitness(inputs, scores, rows), inputs.is_adversarial(scores, rows)
        better = cost <= fitness
        genes, fitness = torch.where(better[..., None, None], children, genes), torch.where(better, cost, fitness)
        leave = active.split(adversarial.any(dim=1))
        if leave is None:
            continue
        places = leave.places
        fittest = cost.where(adversarial, torch.inf)[places].argmin(dim=1)
        answers = paint(images[leave.rows], children[places, fittest])
        settled.append(Settled(leave.rows, answers, scores[places, fittest]))
        genes, fitness = genes[leave.others], fitness[leave.others]
        if not len(active):
            break
    else:
        rows = active.on_device
        answers = paint(images[rows], genes[torch.arange(len(rows), device=genes.device), fitness.argmin(dim=1)])
        settled.append(Settled(rows, answers, evaluate(inputs.model, answers)))
        queries[active.rows] += 1
    found = in_order(settled)
    return Candidates(images=found.images, logits=found.logits, queries=queries)


def forward_batch(device: torch.device, height: int, width: int) -> int:
    """Candidates shown at once: what a CPU's cache holds of early feature maps, or what keeps a GPU busy."""
    # On a CPU, a CIFAR ResNet-18 spends two to three times as long an image at batch 512 as at 128.
    if device.type == "cpu":
        return max(8, 2**17 // (height * width))
    return min(4096, max(64, 2**25 // (height * width)))


def paint(images: Tensor, genes: Tensor) -> Tensor:
    """Set pixels; where two genes meet, the later wins.

    Args:
        images: ``(m,3,H,W)`` in [0,1].
        genes: ``(m,k,5)``: column in [0,W), row in [0,H), red, green, blue in [0,1].

    Returns:
        ``(m,3,H,W)`` painted copies.
    """
    painted = images.clone()
    rows = torch.arange(len(images), device=images.device)
    for gene in genes.unbind(dim=1):
        column, row = gene[:, 0].long(), gene[:, 1].long()
        painted[rows, :, row, column] = divide((gene[:, 2:] * 255).round(), 255).to(images.dtype)
    return painted


def _first_population(sources: list[np.random.Generator], pixels: int, population: int, size: torch.Size) -> Tensor:
    """``(n,P,k,5)``: positions uniform, colours N(128, 127) in 8-bit levels, as in the paper; float64."""
    genes = np.empty((len(sources), population, pixels, 5))
    for own, source in zip(genes, sources, strict=True):
        own[..., 0] = source.random((population, pixels)) * size[1]
        own[..., 1] = source.random((population, pixels)) * size[0]
        own[..., 2:] = source.normal(128, 127, (population, pixels, 3)) / 255
    return _within(torch.from_numpy(genes), size)


def _children(sources: list[np.random.Generator], genes: Tensor, scale: float, size: torch.Size) -> Tensor:
    """``(m,P,k,5)``: for each member r1 + F (r2 - r3), with the three others drawn distinct."""
    picks = torch.from_numpy(np.stack([distinct_triples(source, genes.shape[1]) for source in sources]))
    picks = picks.to(genes.device)
    rows = torch.arange(len(genes), device=genes.device)[:, None]
    first, second, third = (genes[rows, picks[..., i]] for i in range(3))
    return _within(first + scale * (second - third), size)


def distinct_triples(source: np.random.Generator, population: int) -> NDArray[np.int64]:
    """``(P,3)`` member indices, uniform among those distinct from one another and from their own row's index."""
    picks = source.integers(0, [population - 1, population - 2, population - 3], size=(population, 3))
    taken = np.arange(population)[:, None]
    for column in range(3):
        for barrier in np.sort(taken, axis=1).T:
            picks[:, column] += picks[:, column] >= barrier
        taken = np.concatenate([taken, picks[:, column : column + 1]], axis=1)
    return picks.astype(np.int64)


def _within(genes: Tensor, size: torch.Size) -> Tensor:
    """Clip positions to the image and colours to [0,1]."""
    genes[..., 0].clamp_(0, size[1] - 1e-6)
    genes[..., 1].clamp_(0, size[0] - 1e-6)
    genes[..., 2:].clamp_(0, 1)
    return genes


def _show(inputs: AttackInput, children: Tensor, rows: Tensor, batch_size: int) -> Tensor:
    """``(m,P,K)`` logits of every child ``(m,P,k,5)`` of the images ``rows``."""
    flat, owners = children.flatten(0, 1), rows.repeat_interleave(children.shape[1])
    logits = [
        evaluate(
            inputs.model, paint(inputs.images[owners[start : start + batch_size]], flat[start : start + batch_size])
        )
        for start in range(0, len(flat), batch_size)
    ]
    return torch.cat(logits).reshape(*children.shape[:2], -1)


def _fitness(inputs: AttackInput, scores: Tensor, rows: Tensor) -> Tensor:
    """``(m,P)`` to be lowered: log-probability of the true class, or minus that of the target."""
    aim = inputs.aim[rows][:, None, None].expand(-1, scores.shape[1], 1)
    own = scores.log_softmax(dim=-1).gather(-1, aim).squeeze(-1)
    return own if inputs.targets is None else -own
