"""One-pixel attack: a classifier with one weak pixel, counted queries, and brute force."""

import numpy as np
import pytest
import torch
from conftest import Counting
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.attacks import AttackSpec, run_attack
from bench.attacks.one_pixel import OnePixelSettings, distinct_triples, paint
from bench.errors import ConfigurationError


class WeakSpot(torch.nn.Module):
    """Class 1 exactly when the red value at (row 2, column 5) exceeds ``threshold``; it leaks the distance to it."""

    def __init__(self, threshold, row=2, column=5):
        super().__init__()
        self.threshold, self.row, self.column = threshold, row, column

    def forward(self, images):
        red = images[:, 0, self.row, self.column]
        return torch.stack([torch.zeros_like(red), 10 * (red - self.threshold)], dim=1)


BLACK = torch.zeros(4, 3, 8, 8)
ZEROS = torch.zeros(4, dtype=torch.long)
SPEC = AttackSpec("one_pixel", {"population": 100, "generations": 20})


def test_finds_the_only_weak_pixel():
    result = run_attack(WeakSpot(0.3).eval(), BLACK, ZEROS, SPEC, 1, seeds=range(4))
    assert result.success.all()
    for adversarial in result.adversarials:
        changed = (adversarial != 0).any(dim=0).nonzero().tolist()
        assert changed == [[2, 5]]
        assert adversarial[0, 2, 5] > 0.3
        levels = adversarial[:, 2, 5] * 255
        torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-4)
    assert (result.distance == 1).all()
    assert result.norm == "pixels"


def test_cannot_break_what_one_pixel_cannot_break():
    class Mean(torch.nn.Module):
        def forward(self, images):  # one pixel of 64 moves the mean by at most 1/64
            mean = images.mean(dim=(1, 2, 3))
            return torch.stack([torch.zeros_like(mean), mean - 1.5 / 64], dim=1)

    settings_ = {"population": 60, "generations": 15}
    one = run_attack(Mean().eval(), BLACK, ZEROS, AttackSpec("one_pixel", settings_), 1, seeds=range(4))
    three = run_attack(Mean().eval(), BLACK, ZEROS, AttackSpec("one_pixel", settings_), 3, seeds=range(4))
    assert not one.success.any()
    assert three.success.all()
    assert (three.distance <= 3).all()
    # the budget in full, plus one look at the final answer
    assert (one.queries == 60 * 16 + 1).all()


def test_queries_are_what_the_classifier_saw():
    counting = Counting(WeakSpot(0.9)).eval()
    result = run_attack(counting, BLACK, ZEROS, SPEC, 1, seeds=range(4))
    assert counting.images == 4 + result.queries.sum()
    assert result.success.any()
    assert (result.queries[result.success] % 100 == 0).all()


def test_outcomes_depend_on_neither_batch_nor_chunk(small_net, small_data):
    images, labels = small_data
    budget = {"population": 30, "generations": 5}
    whole = run_attack(small_net, images, labels, AttackSpec("one_pixel", budget), 2, seeds=range(24))
    assert 0 < whole.success[2:].mean() < 1
    odd = AttackSpec("one_pixel", {**budget, "batch_size": 7})
    for rows in torch.randperm(24, generator=torch.Generator().manual_seed(0)).split(9):
        part = run_attack(small_net, images[rows], labels[rows], odd, 2, seeds=rows.tolist())
        assert torch.equal(part.adversarials, whole.adversarials[rows])
        assert (part.queries == whole.queries[rows]).all()


def test_targeted():
    class Colours(torch.nn.Module):
        def forward(self, images):  # logit c + 1: the brightest value of channel c
            return torch.cat([torch.full((len(images), 1), 0.5), images.amax(dim=(2, 3))], dim=1)

    targets = torch.tensor([1, 2, 3, 1])
    result = run_attack(Colours().eval(), BLACK, ZEROS, SPEC, 1, seeds=range(4), targets=targets)
    assert result.prediction.tolist() == targets.tolist()
    assert result.success.all()


def test_paint_by_hand():
    images = torch.full((2, 3, 2, 3), 0.5)
    genes = torch.tensor([[[2.9, 1.2, 0.0, 1.0, 0.2], [0.0, 0.0, 1, 1, 1]], [[1.0, 0.0, 0, 0, 0], [1.5, 0.5, 1, 1, 1]]])
    painted = paint(images, genes)
    expected = images.clone()
    expected[0, :, 1, 2] = torch.tensor([0.0, 1.0, 0.2])
    expected[0, :, 0, 0] = 1
    expected[1, :, 0, 1] = 1  # both genes meet here; the later wins
    torch.testing.assert_close(painted, expected)


@given(st.integers(4, 40), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_triples_are_distinct(population, seed):
    picks = distinct_triples(np.random.default_rng(seed), population)
    members = np.concatenate([np.arange(population)[:, None], picks], axis=1)
    assert all(len(set(row)) == 4 for row in members.tolist())
    assert picks.min() >= 0
    assert picks.max() < population


def test_triples_are_uniform():
    source = np.random.default_rng(0)
    draws = np.stack([distinct_triples(source, 5) for _ in range(4000)])
    for column in range(3):
        counts = np.bincount(draws[:, 2, column], minlength=5)
        assert counts[2] == 0
        assert np.abs(np.delete(counts, 2) - 1000).max() < 150


def test_settings_are_checked():
    with pytest.raises(ConfigurationError, match="population"):
        AttackSpec("one_pixel", {"population": 3})
    with pytest.raises(ConfigurationError, match="did you mean 'generations'"):
        AttackSpec("one_pixel", {"generation": 3})
    with pytest.raises(ConfigurationError, match="how many pixels"):
        run_attack(WeakSpot(0.3).eval(), BLACK, ZEROS, SPEC, 0.5, seeds=range(4))
    assert OnePixelSettings() == OnePixelSettings(population=400, generations=100, scale=0.5)
