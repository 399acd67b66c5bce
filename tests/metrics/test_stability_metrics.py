"""The mean over the ten perturbations of ImageNet-P, by hand."""

import numpy as np
import pytest

from bench.corruptions.sequences import PERTURBATIONS
from bench.errors import DataError
from bench.metrics.stability import mean_over_perturbations


def values_of(columns):
    return {name: np.array(columns[index % len(columns)], dtype=float) for index, name in enumerate(PERTURBATIONS)}


def test_by_hand():
    # five perturbations at (0, 0.2) and five at (0.4, 1): image by image, means of 0 and 0.4 and of 0.2 and 1
    assert mean_over_perturbations(values_of([[0, 0.2], [0.4, 1]])) == pytest.approx([0.2, 0.6])


def test_a_missing_perturbation_is_named_not_zero():
    values = values_of([[0.1, 0.2]])
    del values["tilt"]
    with pytest.raises(DataError, match="no outcomes for tilt"):
        mean_over_perturbations(values)
    values["tilt"] = np.zeros(3)
    with pytest.raises(DataError, match="different numbers of images"):
        mean_over_perturbations(values)
