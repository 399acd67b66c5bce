"""Alarms of an adversarial evaluation, computed from its outcomes (Carlini et al. 2019, arXiv:1902.06705, section 5).

Pure functions: each takes arrays over the same images in the same order and returns one record. A failed check does
not stop anything; it flags the figures it concerns, in words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
"""``(N,)`` one bool an image."""


@dataclass(frozen=True)
class SelfCheck:
    """The verdict of one check."""

    name: str
    """Which check: ``epsilon_zero``, ``in_ball``, ..."""
    passed: bool
    """False raises the flag."""
    message: str
    """What was found, in plain words, with the figures it rests on."""


def check_epsilon_zero(clean_correct: Flags, correct_at_zero: Flags) -> SelfCheck:
    """An attack of size 0 changes no decision.

    Args:
        clean_correct: ``(N,)`` correct without any attack.
        correct_at_zero: ``(N,)`` correct under the attack at epsilon 0.
    """
    n = _same_length(clean_correct, correct_at_zero)
    changed = int((clean_correct != correct_at_zero).sum())
    if not changed:
        return SelfCheck("epsilon_zero", True, f"at epsilon 0 all {n} decisions are the clean ones")
    return SelfCheck(
        "epsilon_zero",
        False,
        f"at epsilon 0 {changed} of {n} images are not decided as without an attack: the attack path shows the "
        "classifier other images than the clean evaluation does, or the classifier is random",
    )


def check_in_ball(distance: NDArray[np.float64], epsilon: float, allowance: float) -> SelfCheck:
    """No perturbation exceeds epsilon by more than float rounding.

    Args:
        distance: ``(N,)`` sizes of the perturbations that are counted, in epsilon's norm.
        epsilon: bound.
        allowance: what rounding may add (``bench.attacks.result.rounding_allowance``).
    """
    _same_length(distance)
    worst = float(distance.max())
    outside = int((~(distance <= epsilon + allowance)).sum())
    if not outside:
        return SelfCheck("in_ball", True, f"the largest perturbation is {worst:.6g}, within epsilon {epsilon:.6g}")
    return SelfCheck(
        "in_ball", False, f"{outside} of {len(distance)} perturbations exceed epsilon {epsilon:.6g}; worst {worst:.6g}"
    )


def check_monotone_in_epsilon(correct: Mapping[float, Flags], *, slack: float = 0.0) -> SelfCheck:
    """Robust accuracy does not rise with epsilon.

    Args:
        correct: epsilon -> ``(N,)`` correct under the attack.
        slack: rise in accuracy that is tolerated, e.g. the resolution of a randomised attack.
    """
    return _monotone("monotone_in_epsilon", "epsilon", correct, slack, "a larger ball contains the smaller one")


def check_monotone_in_steps(correct: Mapping[int, Flags], *, slack: float = 0.0) -> SelfCheck:
    """More steps (or queries, or restarts) do not raise robust accuracy.

    Args:
        correct: steps -> ``(N,)`` correct under the attack.
        slack: rise in accuracy that is tolerated.
    """
    return _monotone("monotone_in_steps", "steps", correct, slack, "the attack has not converged or loses ground")


def check_black_box(white_box_correct: Flags, black_box_correct: Flags, *, slack: float = 0.0) -> SelfCheck:
    """A black-box attack is not stronger than a white-box one in the same ball: else the gradients mislead.

    Args:
        white_box_correct: ``(N,)`` correct under a gradient attack.
        black_box_correct: ``(N,)`` correct under an attack that sees scores or decisions only, or a transfer attack.
        slack: share of images by which the black-box attack may be ahead.
    """
    n = _same_length(white_box_correct, black_box_correct)
    white, black = float(white_box_correct.mean()), float(black_box_correct.mean())
    only_black = int((white_box_correct & ~black_box_correct).sum())
    figures = (
        f"{_percent(black)} withstand the black-box attack and {_percent(white)} the white-box one; "
        f"{only_black} of {n} images fall to the black-box attack alone"
    )
    if black >= white - slack:
        return SelfCheck("black_box", True, figures)
    return SelfCheck(
        "black_box",
        False,
        f"{figures}: the gradients are masked or the white-box attack is too weak, and its figure is not robustness",
    )


def check_zero_gradients(zero_share: NDArray[np.floating], *, limit: float = 0.5) -> SelfCheck:
    """The input gradient is not mostly exact zeros.

    Args:
        zero_share: ``(N,)`` share of exact zeros in each image's gradient, in [0,1]; NaN where none was computed.
        limit: share of zeros above which an image's gradient counts as vanished.
    """
    shares = zero_share[~np.isnan(zero_share)]
    if not len(shares):
        return SelfCheck("zero_gradients", True, "no image was attacked by gradient, so no gradient was examined")
    vanished = int((shares > limit).sum())
    figures = f"{vanished} of {len(shares)} attacked images have a gradient that is more than {_percent(limit)} zeros"
    if not vanished:
        return SelfCheck("zero_gradients", True, figures)
    return SelfCheck(
        "zero_gradients",
        False,
        f"{figures}: the classifier hides its gradient (quantised or saturated), or is constant",
    )


def check_adaptive_gradient(naive_correct: Flags, adaptive_correct: Flags, *, slack: float = 0.0) -> SelfCheck:
    """A defense withstands an attack that sees through it as well as one that does not (Athalye et al. 2018).

    Args:
        naive_correct: ``(N,)`` correct under an attack by the defense's own gradient.
        adaptive_correct: ``(N,)`` correct under the same attack with a straight-through (BPDA) or averaged (EOT) one.
        slack: difference in accuracy that is tolerated.
    """
    _same_length(naive_correct, adaptive_correct)
    naive, adaptive = float(naive_correct.mean()), float(adaptive_correct.mean())
    figures = (
        f"{_percent(naive)} withstand the attack by the defense's own gradient, {_percent(adaptive)} an adaptive one"
    )
    if adaptive >= naive - slack:
        return SelfCheck("adaptive_gradient", True, figures)
    return SelfCheck("adaptive_gradient", False, f"{figures}: the difference is gradient masking, not robustness")


def check_noise_control(attack_correct: Flags, noise_correct: Flags) -> SelfCheck:
    """The attack does more than random noise of the same size.

    Args:
        attack_correct: ``(N,)`` correct under the attack.
        noise_correct: ``(N,)`` correct under random noise of the same norm and epsilon.
    """
    n = _same_length(attack_correct, noise_correct)
    attack, noise = int(attack_correct.sum()), int(noise_correct.sum())
    figures = f"of {n} images {attack} withstand the attack and {noise} withstand random noise of the same size"
    if attack < noise or (attack == noise and attack in (0, n)):
        return SelfCheck("noise_control", True, figures)
    return SelfCheck("noise_control", False, f"{figures}: the attack is no stronger than noise and proves nothing")


def _monotone(
    name: str, axis: str, correct: Mapping[float, Flags] | Mapping[int, Flags], slack: float, reason: str
) -> SelfCheck:
    if not correct:
        raise ValueError(f"{name}: nothing to compare")
    _same_length(*correct.values())
    points = sorted((float(at), float(flags.mean())) for at, flags in correct.items())
    rises = [(low, high) for low, high in pairwise(points) if high[1] > low[1] + slack]
    if not rises:
        return SelfCheck(name, True, f"robust accuracy does not rise over the {len(points)} values of {axis}")
    worst_low, worst_high = max(rises, key=lambda pair: pair[1][1] - pair[0][1])
    return SelfCheck(
        name,
        False,
        f"robust accuracy rises from {_percent(worst_low[1])} at {axis} {worst_low[0]:.6g} to "
        f"{_percent(worst_high[1])} at {axis} {worst_high[0]:.6g}: {reason}",
    )


def _same_length(*columns: NDArray[np.generic]) -> int:
    lengths = {len(column) for column in columns}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"checks compare the same images, at least one; got columns of length {sorted(lengths)}")
    return lengths.pop()


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
