"""A plug-in in one file: an attack that tints whole images, with a search of its own."""

from dataclasses import dataclass

import torch

from bench.attacks import Declaration, register_attack
from bench.attacks.declaration import SCORES, UNTARGETED
from bench.attacks.inputs import evaluate
from bench.attacks.options import COUNT
from bench.attacks.result import Candidates


@dataclass(frozen=True, kw_only=True)
class Tints:
    """How many tints are tried."""

    tints: int = 3
    """Of red, green and blue, the first so many."""


def search(inputs, epsilon, norm, settings):
    """Each tint by itself: up by epsilon in one channel, down in the others; the first that fools the classifier."""
    images, logits = inputs.images.clone(), evaluate(inputs.model, inputs.images)
    queries = torch.zeros(len(inputs), dtype=torch.int64)
    for channel in range(settings.tints):
        open_rows = torch.nonzero(~inputs.is_adversarial(logits)).flatten()
        if not len(open_rows):
            break
        shift = torch.full((1, 3, 1, 1), -epsilon, device=images.device)
        shift[:, channel] = epsilon
        images[open_rows] = (inputs.images[open_rows] + shift).clamp(0, 1)
        logits[open_rows] = evaluate(inputs.model, images[open_rows])
        queries[open_rows.cpu()] += 1
    return Candidates(images, logits, queries)


register_attack(
    "brighten",
    Declaration(
        build=Tints,
        norms=("linf",),
        access=SCORES,
        options={"tints": COUNT},
        search=search,
        passes=lambda options: int(options["tints"]),
        goal=UNTARGETED,
        stops_at_success=True,
    ),
)
