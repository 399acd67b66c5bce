import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from bench.explain import agreement, rank_correlation


def maps(seed, *, ties=False):
    values = torch.rand(4, 6, 7, generator=torch.Generator().manual_seed(seed))
    return (values * 4).round() if ties else values


@pytest.mark.parametrize("ties", [False, True])
def test_scipy_agrees(ties):
    ours = rank_correlation(maps(0, ties=ties), maps(1, ties=ties))
    pairs = zip(maps(0, ties=ties).flatten(1), maps(1, ties=ties).flatten(1), strict=True)
    np.testing.assert_allclose(ours.numpy(), [spearmanr(a, b).statistic for a, b in pairs], atol=1e-12)


def test_only_the_order_counts():
    one = maps(0)
    assert rank_correlation(one, one.exp() * 100 - 7).tolist() == pytest.approx([1.0] * 4)
    assert rank_correlation(one, -one).tolist() == pytest.approx([-1.0] * 4)


def test_a_constant_map_orders_nothing():
    correlation = rank_correlation(maps(0), torch.cat([torch.zeros(1, 6, 7), maps(1)[1:]]))
    assert correlation.isnan().tolist() == [True, False, False, False]


def test_every_pair_of_methods_once():
    by_method = {"a": maps(0), "b": maps(1), "c": maps(2)}
    pairs = agreement(by_method)
    assert list(pairs) == [("a", "b"), ("a", "c"), ("b", "c")]
    torch.testing.assert_close(pairs["a", "c"], rank_correlation(maps(0), maps(2)))
