"""Accuracy by group against counting one by one, and its tests against scipy's Fisher test."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, fisher_exact

from bench.errors import DataError
from bench.metrics.slices import slice_accuracies


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 5), st.integers(1, 4))
def test_every_figure_is_that_of_its_own_images(seed, n, groups, cells):
    draw = np.random.default_rng(seed)
    correct, members = draw.random((cells, n)) < 0.7, draw.random((n, groups)) < 0.4
    slices = slice_accuracies(correct, members)
    for cell in range(cells):
        assert slices.overall[cell] == correct[cell].mean()
        for group in range(groups):
            own = correct[cell][members[:, group]]
            assert slices.n[group] == len(own)
            if not len(own):
                assert np.isnan(slices.accuracy[cell, group])
                assert np.isnan(slices.p_corrected[cell, group])
                continue
            assert slices.accuracy[cell, group] == pytest.approx(own.mean())
            exact = binomtest(int(own.sum()), len(own)).proportion_ci(0.95)
            assert [slices.low[cell, group], slices.high[cell, group]] == pytest.approx([exact.low, exact.high])
            errors = 1 - correct[cell].mean()
            if errors:
                assert slices.error_ratio[cell, group] == pytest.approx((1 - own.mean()) / errors)
            else:
                assert np.isnan(slices.error_ratio[cell, group])


def test_the_test_is_fishers_with_both_tails_doubled():
    draw = np.random.default_rng(3)
    correct, members = draw.random((1, 300)) < 0.6, draw.random((300, 6)) < 0.2
    members[:, 0] = ~correct[0] & (draw.random(300) < 0.5)
    slices = slice_accuracies(correct, members)
    for group in range(6):
        inside = members[:, group]
        table = [[int((correct[0] & side).sum()), int((~correct[0] & side).sum())] for side in (inside, ~inside)]
        tails = [fisher_exact(table, alternative=side).pvalue for side in ("less", "greater")]
        assert slices.p_value[0, group] == pytest.approx(min(1, 2 * min(tails)))
    order = np.argsort(slices.p_value[0])
    stepped = np.maximum.accumulate(slices.p_value[0][order] * np.arange(6, 0, -1)).clip(max=1)
    assert slices.p_corrected[0][order] == pytest.approx(stepped)


def test_no_images_have_no_accuracy():
    with pytest.raises(DataError, match="an empty set has no accuracy"):
        slice_accuracies(np.zeros((1, 0), bool), np.zeros((0, 2), bool))
