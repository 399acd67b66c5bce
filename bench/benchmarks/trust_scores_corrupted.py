"""Whether a confidence can still be trusted on corrupted images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench.benchmarks.base import Batch
from bench.benchmarks.corruption import Corruption
from bench.benchmarks.metric import HIGHER, Measured, Metric
from bench.benchmarks.stored_scores import is_calibration, judge_with_scores, read_profile
from bench.benchmarks.trust_scores import ALPHA, AXIS, TrustScores
from bench.errors import DataError
from bench.metrics.conformal import conformal_quantile, label_scores
from bench.metrics.estimates import bootstrap_mean
from bench.records import Condition, Estimate, Outcomes, Parameter


def _coverage(measured: Measured) -> NDArray[np.float64]:
    """``(M,)`` of each image that no quantile was fitted on: under how many of the conditions its set has the label."""
    clean = measured.outcomes_of(TrustScores.name, Condition(TrustScores.name))
    profile, fitted = read_profile(clean, measured.spec.n_classes), is_calibration(clean)
    quantile = conformal_quantile(label_scores(profile.rows(fitted), "threshold"), ALPHA)
    shares = [
        _covered(measured, condition, clean["image_id"].to_numpy(), fitted, quantile)
        for condition in sorted(measured.expected)
    ]
    return np.asarray(np.mean(shares, axis=0), dtype=np.float64)


def _mean_coverage(measured: Measured) -> Estimate:
    return bootstrap_mean(_coverage(measured))


def _covered(
    measured: Measured, condition: Condition, clean_ids: NDArray[np.str_], fitted: NDArray[np.bool_], quantile: float
) -> NDArray[np.bool_]:
    outcomes = measured.outcomes(condition)
    if not np.array_equal(outcomes["image_id"].to_numpy(), clean_ids):
        raise DataError("the corrupted images are not those that the quantile was fitted on: both need the full set")
    profile = read_profile(outcomes, measured.spec.n_classes)
    return np.asarray(label_scores(profile.rows(~fitted), "threshold") <= quantile)


@dataclass(frozen=True, kw_only=True)
class TrustScoresCorrupted(Corruption):
    """The columns of ``trust_scores`` on corrupted images; see ``Corruption`` for its parameters."""

    name = "trust_scores_corrupted"
    version = "2"
    axis = AXIS
    metrics = (
        Metric(
            "corrupted_coverage",
            "Coverage, corrupted",
            HIGHER,
            _coverage,
            exact=_mean_coverage,
            note="Coverage is how often the sets that were fitted on clean images hold the label on corrupted ones:"
            " 90 % where the corruption changes nothing.",
        ),
    )
    citation = f"{Corruption.citation}; {TrustScores.citation}"
    needs_clean = False
    calibrated = False
    stated_parameters = ()

    @classmethod
    def complete_conditions(cls) -> tuple[Condition, ...]:
        """Those of the suite: its figures do not need all of ImageNet-C."""
        return ()

    @classmethod
    def cautions(cls, parameters: Mapping[str, Parameter]) -> Sequence[str]:
        """Nothing: no corruption error is compared with published ones."""
        del parameters
        return ()

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """One forward pass on the corrupted images; outcomes as of ``TrustScores``."""
        shown = replace(batch, images=self.shown(batch, condition, seed=seed))
        with torch.no_grad():
            return judge_with_scores(classifier(shown.pixels()), shown)
