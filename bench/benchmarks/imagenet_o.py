"""ImageNet-O (Hendrycks et al. 2021): images of none of ImageNet's 1,000 classes, which networks are sure of."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.benchmarks.metric import HIGHER, Measured, Metric
from bench.benchmarks.ood import Unlabelled, ordinary_scores
from bench.benchmarks.stored_scores import known_class_scores
from bench.benchmarks.trust_scores import TrustScores
from bench.configs import DataConfig
from bench.metrics.ood import auroc, average_precision, placements, precision_at_images
from bench.records import Condition, Estimate

HENDRYCKS = "Hendrycks et al., Natural Adversarial Examples, CVPR 2021"


def _both(measured: Measured) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Minus the maximum softmax probability of both sets."""
    own = -known_class_scores(measured.outcomes(Condition(ImageNetO.name)))["msp"]
    return own, ordinary_scores(measured, ImageNetO.compared_with, "msp")


def _precision_values(measured: Measured) -> NDArray[np.float64]:
    return precision_at_images(*_both(measured))


def _average_precision(measured: Measured) -> Estimate:
    return average_precision(*_both(measured))


def _placements(measured: Measured) -> NDArray[np.float64]:
    return placements(*_both(measured))


def _auroc(measured: Measured) -> Estimate:
    return auroc(*_both(measured))


@dataclass(frozen=True, kw_only=True)
class ImageNetO(Unlabelled):
    """2,000 images of ImageNet-22k's other classes; all logits but those of its 200 classes are left out first."""

    name = "imagenet_o"
    compared_with = "imagenet_o_clean"
    metrics = (
        Metric(
            "imagenet_o_aupr",
            "ImageNet-O AUPR",
            HIGHER,
            _precision_values,
            exact=_average_precision,
            note="ImageNet-O's AUPR is the average precision of minus the maximum softmax probability, OOD positive; a"
            " score that knows nothing has the share of OOD images, 1 in 6 for all of ImageNet-O.",
        ),
        Metric("imagenet_o_auroc", "ImageNet-O AUROC", HIGHER, _placements, exact=_auroc),
    )
    citation = HENDRYCKS


@dataclass(frozen=True, kw_only=True)
class ImageNetOClean(TrustScores):
    """The validation images of ImageNet-O's 200 classes, decided on among these: what ImageNet-O is compared with."""

    name = "imagenet_o_clean"
    own_images = True
    metrics = ()
    citation = HENDRYCKS

    def data_of(self, main: DataConfig) -> DataConfig:
        """The main images of those classes."""
        return replace(main, name=self.name, label_space="imagenet_o", other_classes="leave_out")
