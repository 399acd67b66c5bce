"""Samples that grow until an interval is narrow enough: the interval that a run ends with must still cover."""

import numpy as np
import pytest

from bench.metrics.sampling import sampled_estimate
from bench.sweep.plan import FIRST
from bench.sweep.sampling import Round, next_size
from tests.metrics.simulated_sweeps import CONDITIONS, Population, Sweep

LARGEST = 1400


def ended(sweep: Sweep, wanted: float):
    """The estimate that a run ends with, as ``bench.sweep.rounds`` runs it, and the images of each condition."""
    size, rounds = FIRST, []
    while True:
        estimate = sampled_estimate(sweep.columns(size)[0], size)
        rounds.append(Round(size, (estimate.high - estimate.low) / 2))
        if rounds[-1].half_width <= wanted:
            return estimate, size
        following = next_size(rounds, wanted, n_conditions=len(CONDITIONS), n_images=sweep.n)
        assert following is not None, "the set is large enough"
        size = following


def coverage(n, wanted, sweeps):
    generator = np.random.default_rng([n, int(100 * wanted)])
    truth, hits, sizes = Population().truth(0.0), 0, []
    for _ in range(sweeps):
        estimate, size = ended(Sweep(generator, n, LARGEST), wanted)
        hits += estimate.low <= truth <= estimate.high
        sizes.append(size)
        assert (estimate.high - estimate.low) / 2 <= wanted
    return hits / sweeps, float(np.mean(sizes))


def test_intervals_cover_where_a_run_stops_at_a_half_width():
    share, size = coverage(20_000, 1.5, 250)
    assert 0.91 <= share <= 0.985  # 3 standard errors of 250 sweeps around 0.95
    assert FIRST < size < LARGEST / 4


@pytest.mark.proof
@pytest.mark.parametrize(("n", "wanted"), [(50_000, 1.6), (50_000, 1.1), (50_000, 0.8), (5000, 1.6)])
def test_intervals_cover_where_large_sweeps_stop_at_a_half_width(n, wanted):
    share, size = coverage(n, wanted, 2000)
    print(f"N={n} ±{wanted}: coverage {share:.3f}, {size:.0f} images per condition")
    assert 0.935 <= share <= 0.97
