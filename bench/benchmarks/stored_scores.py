"""Columns that say whether a confidence can be trusted: how they come from logits, and how they are read again."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.benchmarks.base import Batch, check_finite, judge
from bench.metrics.conformal import StoredProfile, stored_ranks
from bench.metrics.temperature import TEMPERATURES, StoredLogits
from bench.records import Outcomes
from bench.seeding import derive_seed

GEN_POWER, GEN_CLASSES = 0.1, 100
"""Gamma and M of GEN (Liu, Lochman & Zach, CVPR 2023): the paper's choice for 1,000 classes."""
SCORES = {"msp": "MSP", "max_logit": "Max logit", "energy": "Energy", "gen": "GEN"}
"""Scores that are larger for images of known classes, with their titles: maximum softmax probability (Hendrycks &
Gimpel 2017), maximum logit (Hendrycks et al. 2022), minus the energy at temperature 1 (Liu et al. 2020), and GEN (Liu,
Lochman & Zach 2023)."""
LOGSUMEXP = tuple(f"logsumexp_at_{temperature:.4g}" for temperature in TEMPERATURES)
"""Columns of the log-sum-exp of the logits divided by each temperature."""


def judge_with_scores(logits: Tensor, batch: Batch) -> Outcomes:
    """Outcomes of labelled images with every column of this module.

    Args:
        logits: ``(B,K)`` before softmax.
        batch: the images' labels and names.

    Raises:
        NonFiniteLogitsError: a logit is NaN or infinite.
        DataError: a label that the classifier has no logit for.
    """
    outcomes = judge(logits, batch)
    labels = torch.as_tensor(outcomes.label, device=logits.device)
    return replace(outcomes, extra={**score_columns(logits), **label_columns(logits, labels)})


def judge_unlabelled(logits: Tensor, batch: Batch) -> Outcomes:
    """Outcomes of images of no known class: the label is -1, and the columns are those of ``score_columns``.

    Raises:
        NonFiniteLogitsError: a logit is NaN or infinite.
    """
    check_finite(logits, batch)
    confidence, prediction = logits.float().softmax(dim=1).max(dim=1)
    return Outcomes(
        image_id=batch.image_ids,
        label=np.full(len(batch), -1, dtype=np.int64),
        prediction=prediction.cpu().numpy(),
        confidence=confidence.cpu().numpy(),
        extra=score_columns(logits),
    )


def score_columns(logits: Tensor) -> dict[str, NDArray[np.float32]]:
    """Scores of images that need no label, beside the confidence, each ``(B,)``.

    ``top_logit``; the columns ``LOGSUMEXP``, of which that at 1 is minus the energy; ``gen``, which is minus
    ``sum p^gamma (1 - p)^gamma`` over the 100 likeliest classes.

    Args:
        logits: ``(B,K)`` before softmax.
    """
    exact = logits.double()
    likeliest = exact.softmax(dim=1).topk(min(GEN_CLASSES, logits.shape[1]), dim=1).values
    columns = {"top_logit": exact.amax(dim=1)}
    for name, temperature in zip(LOGSUMEXP, TEMPERATURES, strict=True):
        columns[name] = (exact / temperature).logsumexp(dim=1)
    columns["gen"] = -(likeliest**GEN_POWER * (1 - likeliest).clamp(min=0) ** GEN_POWER).sum(dim=1)
    return _on_cpu(columns)


def label_columns(logits: Tensor, labels: Tensor) -> dict[str, NDArray[np.float32]]:
    """What is stored of the label's place among the classes, each ``(B,)``.

    ``label_logit``; ``mass_above_label``, the probability of all classes that come before the label when classes are
    in the order of probability, the first of equal ones before the others; ``cumulative_R``, the probability of the
    ``R`` likeliest classes, for the ranks of ``bench.metrics.conformal.stored_ranks``.

    Args:
        logits: ``(B,K)`` before softmax.
        labels: ``(B,)`` int64 logit columns.
    """
    exact = logits.double()
    ordered, classes = exact.softmax(dim=1).sort(dim=1, descending=True, stable=True)
    cumulative = ordered.cumsum(dim=1)
    place = (classes == labels[:, None]).int().argmax(dim=1, keepdim=True)
    columns = {
        "label_logit": exact.gather(1, labels[:, None])[:, 0],
        "mass_above_label": (cumulative - ordered).gather(1, place)[:, 0],
    }
    columns |= {f"cumulative_{rank}": cumulative[:, rank - 1] for rank in stored_ranks(logits.shape[1])}
    return _on_cpu(columns)


def _on_cpu(columns: Mapping[str, Tensor]) -> dict[str, NDArray[np.float32]]:
    return {name: values.float().cpu().numpy() for name, values in columns.items()}


def known_class_scores(outcomes: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """``(N,)`` by name in ``SCORES``, from stored outcomes: larger for images of known classes."""
    columns = {
        "msp": "confidence",
        "max_logit": "top_logit",
        "energy": LOGSUMEXP[TEMPERATURES.index(1.0)],
        "gen": "gen",
    }
    return {name: _floats(outcomes, column) for name, column in columns.items()}


def read_logits(outcomes: pd.DataFrame) -> StoredLogits:
    """What temperature scaling needs, from stored outcomes."""
    stored = outcomes[list(LOGSUMEXP)].to_numpy(dtype=np.float64)
    return StoredLogits(_floats(outcomes, "label_logit"), _floats(outcomes, "top_logit"), stored)


def read_profile(outcomes: pd.DataFrame, n_classes: int) -> StoredProfile:
    """What conformal sets need, from stored outcomes; the random share of an image follows from its name."""
    stored = outcomes[[f"cumulative_{rank}" for rank in stored_ranks(n_classes)]].to_numpy(dtype=np.float64)
    return StoredProfile(
        label=np.exp(-read_logits(outcomes).log_loss(1.0)),
        above=_floats(outcomes, "mass_above_label"),
        cumulative=stored,
        share=_draws(outcomes, "share of its own class"),
        n_classes=n_classes,
    )


def is_calibration(outcomes: pd.DataFrame) -> NDArray[np.bool_]:
    """``(N,)`` whether each image is in the half that temperatures and quantiles are fitted on.

    The halves are drawn by the images' names, the same for every classifier and condition; figures are those of the
    other half. Of an odd number of images, the other half has one more.
    """
    draws = _draws(outcomes, "calibration half")
    half = np.zeros(len(draws), dtype=bool)
    half[np.argsort(draws, kind="stable")[: len(draws) // 2]] = True
    return half


def _draws(outcomes: pd.DataFrame, what: str) -> NDArray[np.float64]:
    """``(N,)`` numbers in [0,1) that follow from the images' names."""
    return np.array([derive_seed(what, str(name), bits=53) / 2.0**53 for name in outcomes["image_id"]])


def _floats(outcomes: pd.DataFrame, name: str) -> NDArray[np.float64]:
    return outcomes[name].to_numpy(dtype=np.float64)
