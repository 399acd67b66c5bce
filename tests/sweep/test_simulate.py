"""The planner's makespan against bounds that hold for any schedule."""

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.sweep.messages import UnitKey
from bench.sweep.simulate import simulate


def keyed(costs):
    return [(UnitKey("cell", position, position + 1), cost) for position, cost in enumerate(costs)]


def test_by_hand():
    # 5 4 3 on two workers, longest first, shares of 12/8, 7/8, 3/8: one unit a lease; 5 | 4 + 3
    told = simulate(keyed([3.0, 5.0, 4.0]), workers=2)
    assert (told.seconds, told.bound, told.leases) == (7.0, 6.0, 3)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.5, 20), min_size=1, max_size=7), st.integers(1, 3))
def test_within_grahams_bound_of_the_best_schedule_by_brute_force(costs, workers):
    best = min(
        max(sum(cost for cost, at in zip(costs, spots, strict=True) if at == worker) for worker in range(workers))
        for spots in itertools.product(range(workers), repeat=len(costs))
    )
    told = simulate(keyed(costs), workers=workers)
    assert best - 1e-9 <= told.seconds <= (4 / 3 - 1 / (3 * workers)) * best + 1e-9


def test_64_devices_end_within_5_percent_of_the_bound_although_costs_are_guessed():
    chance = random.Random(0)
    costs = [cost for cost in (1.0, 2.0, 3.0, 40.0) for _ in range(1000)]
    wrong = {key: chance.uniform(0.7, 1.3) for key, _ in keyed(costs)}
    told = simulate(keyed(costs), workers=64, actual=lambda key, cost: cost * wrong[key])
    assert 1 <= told.ratio < 1.05
