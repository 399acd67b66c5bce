"""``task=score_decisions``: shape bias and accuracy of published per-trial decisions, as JSON on standard output."""

import json
import math
from dataclasses import asdict

from omegaconf import DictConfig

from bench.data.decisions import CUE_CONFLICT, Decisions, decision_files, read_decisions
from bench.metrics.shape_bias import CueTrials, category_shape_biases, count_cues, cue_accuracy, shape_bias
from bench.tasks.support.config import decisions_path


def check(config: DictConfig) -> None:
    """Refuse a path without decisions."""
    decision_files(decisions_path(config))


def run(config: DictConfig) -> None:
    """Print, by experiment and decision maker: counts, ``shape_bias`` and ``cue_accuracy`` in [0,1], and shape bias per
    category; of images without cues ``n`` and ``accuracy``.
    """
    scores: dict[str, dict[str, object]] = {}
    for decisions in read_decisions(decisions_path(config)):
        scores.setdefault(decisions.experiment, {})[decisions.name] = _scores(decisions)
    print(json.dumps(scores, indent=1, allow_nan=False))


def _scores(decisions: Decisions) -> dict[str, object]:
    if decisions.experiment != CUE_CONFLICT:
        return {"n": len(decisions.image_ids), "accuracy": float((decisions.decision == decisions.shape).mean())}
    trials = CueTrials(decisions.shape, decisions.texture, decisions.decision)
    counts = count_cues(trials)
    decided = counts.shape + counts.texture > 0
    return {
        **asdict(counts),
        "shape_bias": shape_bias(trials).value if decided else None,
        "cue_accuracy": cue_accuracy(trials).value,
        "per_category": {
            category: None if math.isnan(estimate.value) else estimate.value
            for category, estimate in category_shape_biases(trials).items()
        },
    }
