"""Flip probability and top-5 distance over perturbations, by hand."""

import numpy as np
import pytest

from bench.corruptions.sequences import PERTURBATIONS
from bench.errors import DataError
from bench.metrics.stability import flip_probability, mean_flip_probability, mean_top5_distance, top5_distance


def values_of(columns):
    return {name: np.array(columns[index % len(columns)], dtype=float) for index, name in enumerate(PERTURBATIONS)}


def test_by_hand():
    assert flip_probability(np.array([0.0, 0.5, 1.0, 0.1])).value == pytest.approx(0.4)
    assert top5_distance(np.array([15.0, 0.0, 3.0])).value == pytest.approx(6)
    # five perturbations at (0, 0.2) and five at (0.4, 1): mean of 0.1 and 0.7
    assert mean_flip_probability(values_of([[0, 0.2], [0.4, 1]])).value == pytest.approx(0.4)
    assert mean_top5_distance(values_of([[1, 2], [3, 4]])).value == pytest.approx(2.5)


def test_the_interval_is_over_images():
    # every image has the same mean over the perturbations, so nothing is uncertain
    estimate = mean_flip_probability(values_of([[0.1, 0.3], [0.3, 0.1]]))
    assert (estimate.low, estimate.high) == pytest.approx((0.2, 0.2))
    assert estimate.n == 2


def test_a_missing_perturbation_is_named_not_zero():
    values = values_of([[0.1, 0.2]])
    del values["tilt"]
    with pytest.raises(DataError, match="no outcomes for tilt"):
        mean_flip_probability(values)
    values["tilt"] = np.zeros(3)
    with pytest.raises(DataError, match="different numbers of images"):
        mean_top5_distance(values)
    with pytest.raises(DataError, match="empty"):
        flip_probability(np.array([]))
