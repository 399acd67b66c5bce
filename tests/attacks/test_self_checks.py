"""The alarms: each silent on sound figures, and raised by a masked classifier and by broken attacks."""

import numpy as np
import pytest
import torch
from conftest import Linear

from bench.attacks import AttackSpec, run_attack
from bench.attacks.result import rounding_allowance
from bench.attacks.self_checks import (
    check_black_box,
    check_epsilon_zero,
    check_in_ball,
    check_monotone_in_epsilon,
    check_monotone_in_steps,
    check_noise_control,
    check_zero_gradients,
)


def flags(text):
    return np.array([letter == "1" for letter in text])


def test_epsilon_zero():
    assert check_epsilon_zero(flags("1101"), flags("1101")).passed
    broken = check_epsilon_zero(flags("1101"), flags("0111"))
    assert not broken.passed
    assert "2 of 4" in broken.message


def test_in_ball():
    allowance = rounding_allowance("linf", 0.1, 100)
    assert check_in_ball(np.array([0.0, 0.1 + 5e-8]), 0.1, allowance).passed
    assert "1 of 2" in check_in_ball(np.array([0.0, 0.1001]), 0.1, allowance).message
    assert not check_in_ball(np.array([np.nan]), 0.1, allowance).passed


def test_monotone():
    fine = {0.0: flags("1111"), 0.02: flags("1001"), 0.01: flags("1101")}
    assert check_monotone_in_epsilon(fine).passed
    rising = check_monotone_in_epsilon({**fine, 0.03: flags("1110")})
    assert not rising.passed
    assert "from 50.0 % at epsilon 0.02 to 75.0 % at epsilon 0.03" in rising.message
    assert check_monotone_in_epsilon({**fine, 0.03: flags("1110")}, slack=0.25).passed
    assert not check_monotone_in_steps({1: flags("1000"), 10: flags("1100")}).passed


def test_black_box():
    assert check_black_box(flags("1000"), flags("1100")).passed
    masked = check_black_box(flags("1111"), flags("0111"))
    assert not masked.passed
    assert "1 of 4 images fall to the black-box attack alone" in masked.message


def test_zero_gradients():
    assert check_zero_gradients(np.array([0.0, 0.1, np.nan])).passed
    assert not check_zero_gradients(np.array([0.0, 1.0, np.nan])).passed
    assert "no gradient was examined" in check_zero_gradients(np.array([np.nan])).message


def test_noise_control():
    assert check_noise_control(flags("1000"), flags("1110")).passed
    assert check_noise_control(flags("0000"), flags("0000")).passed
    assert not check_noise_control(flags("1100"), flags("1001")).passed


def test_comparing_other_images_raises():
    with pytest.raises(ValueError, match="same images"):
        check_epsilon_zero(flags("11"), flags("111"))
    with pytest.raises(ValueError, match="at least one"):
        check_noise_control(flags(""), flags(""))
    with pytest.raises(ValueError, match="nothing to compare"):
        check_monotone_in_epsilon({})


class Quantised(torch.nn.Module):
    """Gradient masking: 16 grey levels before a linear classifier, so the gradient is zero almost everywhere."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, images):
        return self.inner((images * 15).round() / 15)


def test_a_masked_classifier_raises_the_flags():
    torch.manual_seed(0)
    weight, images = torch.randn(3 * 64), torch.rand(30, 3, 8, 8)
    plain = Linear(weight, -weight.sum() / 2).eval()
    masked = Quantised(plain).eval()
    labels = masked(images).argmax(1)
    truth = labels.numpy()
    arguments = {"labels": labels, "epsilon": 0.08, "seeds": range(30)}
    pgd = AttackSpec("pgd_linf", {"steps": 10, "rel_stepsize": 0.25})
    search = AttackSpec("square", {"queries": 150})
    naive = run_attack(masked, images, attack_spec=pgd, **arguments)
    square = run_attack(masked, images, attack_spec=search, **arguments)
    assert not check_zero_gradients(naive.zero_gradient).passed
    assert not check_black_box(naive.prediction == truth, square.prediction == truth).passed
    sound = run_attack(plain, images, attack_spec=pgd, **arguments)
    square = run_attack(plain, images, attack_spec=search, **arguments)
    assert check_zero_gradients(sound.zero_gradient).passed
    assert check_black_box(sound.prediction == truth, square.prediction == truth).passed


def test_a_broken_attack_raises_the_flags(monkeypatch, small_net, small_data):
    from foolbox.attacks.gradient_descent_base import LinfBaseGradientDescent

    images, labels = small_data
    noise = run_attack(small_net, images, labels, AttackSpec("noise_linf"), 0.1, seeds=range(24))
    sound = run_attack(small_net, images, labels, AttackSpec("bim_linf"), 0.1, seeds=range(24))
    monkeypatch.setattr(LinfBaseGradientDescent, "normalize", lambda self, gradients, *, x, bounds: -gradients.sign())
    backwards = run_attack(small_net, images, labels, AttackSpec("bim_linf"), 0.1, seeds=range(24))
    truth = labels.numpy()
    assert check_noise_control(sound.prediction == truth, noise.prediction == truth).passed
    assert not check_noise_control(backwards.prediction == truth, noise.prediction == truth).passed
