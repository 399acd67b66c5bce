"""Transfer: hand-worked on two linear classifiers."""

import pytest
import torch
from conftest import Linear

from bench.attacks import AttackError, AttackSpec, run_attack
from bench.attacks.transfer import evaluate_transfer
from bench.errors import ConfigurationError


def test_by_hand():
    surrogate = Linear([1.0, 0.0, 0.0], -0.45).eval()  # red above 0.45
    target = Linear([1.0, 1.0, 0.0], -0.95).eval()  # red + green above 0.95
    # (red, green): both right and falls / target wrong from the start / surrogate too far to fall
    images = torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.4, 0.0], [0.9, 0.1, 0.0]]).reshape(3, 3, 1, 1)
    labels = torch.ones(3, dtype=torch.long)
    attacked = run_attack(surrogate, images, labels, AttackSpec("fgsm"), 0.1, seeds=range(3))
    assert attacked.success.tolist() == [True, True, False]
    result = evaluate_transfer(target, images, labels, attacked)
    # the target sees red - 0.1: sums 0.9, 0.8, 0.9
    assert result.clean_prediction.tolist() == [1, 0, 1]
    assert result.prediction.tolist() == [0, 0, 0]
    assert result.surrogate_fooled.tolist() == [True, True, False]


def test_refusals(small_net, small_data):
    images, labels = small_data
    attacked = run_attack(small_net, images, labels, AttackSpec("fgsm"), 0.01, seeds=range(24))
    with pytest.raises(ConfigurationError, match="surrogate was attacked on"):
        evaluate_transfer(small_net, images[:3], labels[:3], attacked)
    with pytest.raises(AttackError, match="ball"):
        evaluate_transfer(small_net, images.flip(0), labels, attacked)
    with pytest.raises(ConfigurationError, match="training mode"):
        evaluate_transfer(torch.nn.Linear(1, 1), images, labels, attacked)
    itself = evaluate_transfer(small_net, images, labels, attacked)
    assert (itself.prediction == attacked.prediction).all()
