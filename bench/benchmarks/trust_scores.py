"""What is needed to judge whether a confidence can be trusted: scores and probabilities beside the decision."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench.benchmarks.base import Batch, Benchmark
from bench.benchmarks.metric import LOWER, Measured, Metric
from bench.benchmarks.stored_scores import is_calibration, judge_with_scores, read_logits, read_profile
from bench.metrics.conformal import conformal_quantile, label_scores, set_sizes
from bench.metrics.estimates import bootstrap_mean
from bench.metrics.selective import aurc, aurc_values
from bench.records import Condition, Estimate, Outcomes

AXIS = "Trust"
ALPHA = 0.1
"""Share of images whose conformal set may lack the label."""


def _columns(measured: Measured) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Confidence in the prediction, and whether it is right."""
    outcomes = measured.outcomes(Condition(measured.spec.benchmark))
    return outcomes["confidence"].to_numpy(dtype=np.float64), outcomes["correct"].to_numpy(dtype=bool)


def _aurc_values(measured: Measured) -> NDArray[np.float64]:
    return aurc_values(*_columns(measured))


def _aurc(measured: Measured) -> Estimate:
    return aurc(*_columns(measured))


def _log_loss(measured: Measured) -> NDArray[np.float64]:
    return read_logits(measured.outcomes(Condition(measured.spec.benchmark))).log_loss(1.0)


def _set_sizes(measured: Measured) -> NDArray[np.float64]:
    """``(M,)`` classes in the sets of the images that the quantile was not fitted on."""
    outcomes = measured.outcomes(Condition(measured.spec.benchmark))
    profile, fitted = read_profile(outcomes, measured.spec.n_classes), is_calibration(outcomes)
    quantile = conformal_quantile(label_scores(profile.rows(fitted), "threshold"), ALPHA)
    return set_sizes(profile.rows(~fitted), "threshold", quantile).astype(np.float64)


def _mean_set_size(measured: Measured) -> Estimate:
    return bootstrap_mean(_set_sizes(measured))


@dataclass(frozen=True, kw_only=True)
class TrustScores(Benchmark):
    """The images as they are, with the scores and probabilities that judge the confidence in a prediction.

    Its cell says no more of accuracy than that of ``clean``; it stores what temperature scaling, conformal sets and
    the recognition of images of no known class are computed from.
    """

    name = "trust_scores"
    version = "1"
    pictured = True
    axis = AXIS
    strength_unit = ""
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            "aurc",
            "AURC",
            LOWER,
            _aurc_values,
            exact=_aurc,
            note="AURC is the mean share of errors when only the surest images are answered, over all shares of answers"
            " (Geifman et al. 2019).",
        ),
        Metric("log_loss", "Log-loss", LOWER, _log_loss, percent=False, note="Log-loss is in nats, without scaling."),
        Metric(
            "conformal_set_size",
            "Set size",
            LOWER,
            _set_sizes,
            exact=_mean_set_size,
            percent=False,
            note="Set size is the mean number of classes that hold the label of 90 % of the images: split conformal"
            " sets, fitted on one half of the images and measured on the other.",
        ),
    )
    citation = (
        "Guo et al., On Calibration of Modern Neural Networks, ICML 2017; Sadinle, Lei & Wasserman, Least Ambiguous"
        " Set-Valued Classifiers with Bounded Error Levels, JASA 2019; Romano, Sesia & Candes, Classification with"
        " Valid and Adaptive Coverage, NeurIPS 2020"
    )

    def conditions(self) -> tuple[Condition, ...]:
        """The one condition: the images as they are."""
        return (Condition(self.name),)

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """One forward pass.

        Returns:
            Outcomes with the float columns of ``bench.benchmarks.stored_scores``.
        """
        del condition, seed
        with torch.no_grad():
            return judge_with_scores(classifier(batch.pixels()), batch)
