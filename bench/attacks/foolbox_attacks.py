"""Foolbox's attacks: what each is, what it sees of the classifier, and what its options may be."""

from collections.abc import Mapping
from typing import Any

import foolbox.attacks as fa
from foolbox.attacks.base import Attack

from bench.attacks.declaration import (
    DECISIONS,
    EITHER,
    GRADIENT,
    NOTHING,
    SCORES,
    TARGETED,
    UNTARGETED,
    Declaration,
    Options,
)
from bench.attacks.fmn import ProjectedL2FMNAttack
from bench.attacks.options import (
    COUNT,
    DECAY,
    FLAG,
    INNER_SHARE,
    NOT_NEGATIVE,
    PIXEL_STEP,
    POSITIVE,
    POSITIVE_OR_NULL,
    SHARE,
    Option,
)

_DESCENT: Options = {
    "rel_stepsize": POSITIVE,
    "abs_stepsize": POSITIVE_OR_NULL,
    "steps": COUNT,
    "random_start": FLAG,
}
_ADAM: Options = {"adam_beta1": DECAY, "adam_beta2": DECAY, "adam_epsilon": POSITIVE}
_BRENDEL_BETHGE: Options = {
    "overshoot": Option(kind="number", low=1),
    "steps": COUNT,
    "lr": POSITIVE,
    "lr_decay": Option(kind="number", above=0, high=1),
    "lr_num_decay": COUNT,
    "momentum": DECAY,
    "binary_search_steps": COUNT,
}
_FMN: Options = {
    "steps": COUNT,
    "max_stepsize": POSITIVE,
    "min_stepsize": POSITIVE_OR_NULL,
    "gamma": INNER_SHARE,
    "binary_search_steps": COUNT,
}
_DEEPFOOL: Options = {
    "steps": COUNT,
    "candidates": Option(kind="integer", low=2, optional=True),
    "overshoot": NOT_NEGATIVE,
    "loss": Option(kind="choice", choices=("logits", "crossentropy")),
}
_REPEATED: Options = {"repeats": COUNT, "check_trivial": FLAG}
_ALL_NORMS = ("linf", "l2", "l1", "l0")


def _hop_skip_jump_passes(options: Mapping[str, Any]) -> int:
    """The paper's schedule: initial evaluations grow with the square root of the step."""
    most, first = int(options["max_gradient_eval_steps"]), int(options["initial_gradient_eval_steps"])
    return sum(min(most, int(first * step**0.5)) + 25 for step in range(1, int(options["steps"]) + 1))


def _descent(build: type[Attack], norm: str, **more: Option) -> Declaration:
    options = {**_DESCENT, **({"abs_stepsize": PIXEL_STEP} if norm == "linf" else {}), **more}
    return Declaration(build=build, norms=(norm,), access=GRADIENT, options=options)


def _fast(build: type[Attack], norm: str) -> Declaration:
    """Foolbox's fast gradient methods, which refuse targets."""
    options = {"random_start": FLAG}
    return Declaration(build=build, norms=(norm,), access=GRADIENT, options=options, goal=UNTARGETED, single_step=True)


def _minimal(
    build: type[Attack], norm: str, options: Options, *, access: str = GRADIENT, goal: str = EITHER, **more: Any
) -> Declaration:
    return Declaration(build=build, norms=(norm,), access=access, options=options, minimal_norm=True, goal=goal, **more)


def _search(build: type[Attack], **options: Option) -> Declaration:
    """Decision-based searches for the smallest perturbation of a kind, in any norm."""
    return Declaration(
        build=build,
        norms=_ALL_NORMS,
        access=DECISIONS,
        options=options,
        minimal_norm=True,
        norm_must_be_chosen=True,
    )


def _noise(build: type[Attack], norm: str) -> Declaration:
    return Declaration(build=build, norms=(norm,), access=NOTHING, options={}, control=True, passes=lambda _: 1)


def _repeated_noise(build: type[Attack]) -> Declaration:
    """Draws noise until it works, so it sees decisions."""
    return Declaration(build=build, norms=("l2",), access=DECISIONS, options=_REPEATED)


FOOLBOX: Mapping[str, Declaration] = {
    # one step along the gradient (Goodfellow et al. 2015)
    "fgsm": _fast(fa.LinfFastGradientAttack, "linf"),
    "fgm_l2": _fast(fa.L2FastGradientAttack, "l2"),
    "L1FastGradientAttack": _fast(fa.L1FastGradientAttack, "l1"),
    # descent from a random start (Madry et al. 2018), from the image (Kurakin et al. 2017), with momentum (Dong et al.
    # 2018), with Adam
    "pgd_linf": _descent(fa.LinfProjectedGradientDescentAttack, "linf"),
    "pgd_l2": _descent(fa.L2ProjectedGradientDescentAttack, "l2"),
    "pgd_l1": _descent(fa.L1ProjectedGradientDescentAttack, "l1"),
    "bim_linf": _descent(fa.LinfBasicIterativeAttack, "linf"),
    "bim_l2": _descent(fa.L2BasicIterativeAttack, "l2"),
    "L1BasicIterativeAttack": _descent(fa.L1BasicIterativeAttack, "l1"),
    "mi_fgsm": _descent(fa.LinfMomentumIterativeFastGradientMethod, "linf", momentum=NOT_NEGATIVE),
    "L2MomentumIterativeFastGradientMethod": _descent(
        fa.L2MomentumIterativeFastGradientMethod, "l2", momentum=NOT_NEGATIVE
    ),
    "L1MomentumIterativeFastGradientMethod": _descent(
        fa.L1MomentumIterativeFastGradientMethod, "l1", momentum=NOT_NEGATIVE
    ),
    "LinfAdamBasicIterativeAttack": _descent(fa.LinfAdamBasicIterativeAttack, "linf", **_ADAM),
    "L2AdamBasicIterativeAttack": _descent(fa.L2AdamBasicIterativeAttack, "l2", **_ADAM),
    "L1AdamBasicIterativeAttack": _descent(fa.L1AdamBasicIterativeAttack, "l1", **_ADAM),
    "LinfAdamProjectedGradientDescentAttack": _descent(fa.LinfAdamProjectedGradientDescentAttack, "linf", **_ADAM),
    "L2AdamProjectedGradientDescentAttack": _descent(fa.L2AdamProjectedGradientDescentAttack, "l2", **_ADAM),
    "L1AdamProjectedGradientDescentAttack": _descent(fa.L1AdamProjectedGradientDescentAttack, "l1", **_ADAM),
    "SparseL1DescentAttack": _descent(fa.SparseL1DescentAttack, "l1", quantile=SHARE),
    "VirtualAdversarialAttack": Declaration(
        build=fa.VirtualAdversarialAttack,
        norms=("l2",),
        access=GRADIENT,
        options={"steps": COUNT, "xi": POSITIVE},
        goal=UNTARGETED,
    ),
    # the smallest perturbation, by gradient
    "deepfool_l2": _minimal(fa.L2DeepFoolAttack, "l2", _DEEPFOOL, goal=UNTARGETED),  # Moosavi-Dezfooli et al. 2016
    "deepfool_linf": _minimal(fa.LinfDeepFoolAttack, "linf", _DEEPFOOL, goal=UNTARGETED),
    "cw_l2": _minimal(  # Carlini & Wagner 2017
        fa.L2CarliniWagnerAttack,
        "l2",
        {
            "binary_search_steps": COUNT,
            "steps": COUNT,
            "stepsize": POSITIVE,
            "confidence": NOT_NEGATIVE,
            "initial_const": POSITIVE,
            "abort_early": FLAG,
        },
    ),
    "EADAttack": _minimal(
        fa.EADAttack,
        "l1",
        {
            "binary_search_steps": COUNT,
            "steps": COUNT,
            "initial_stepsize": POSITIVE,
            "confidence": NOT_NEGATIVE,
            "initial_const": POSITIVE,
            "regularization": NOT_NEGATIVE,
            "decision_rule": Option(kind="choice", choices=("EN", "L1")),
            "abort_early": FLAG,
        },
    ),
    "ddn": _minimal(  # Rony et al. 2019
        fa.DDNAttack, "l2", {"init_epsilon": POSITIVE, "steps": COUNT, "gamma": INNER_SHARE}
    ),
    "fmn_linf": _minimal(fa.LInfFMNAttack, "linf", _FMN),  # Pintor et al. 2021
    "fmn_l2": _minimal(ProjectedL2FMNAttack, "l2", _FMN),
    "L1FMNAttack": _minimal(fa.L1FMNAttack, "l1", _FMN),
    "L0FMNAttack": _minimal(fa.L0FMNAttack, "l0", _FMN),
    "NewtonFoolAttack": _minimal(fa.NewtonFoolAttack, "l2", {"steps": COUNT, "stepsize": POSITIVE}, goal=UNTARGETED),
    "LinfinityBrendelBethgeAttack": _minimal(fa.LinfinityBrendelBethgeAttack, "linf", _BRENDEL_BETHGE),
    "L2BrendelBethgeAttack": _minimal(fa.L2BrendelBethgeAttack, "l2", _BRENDEL_BETHGE),
    "L1BrendelBethgeAttack": _minimal(fa.L1BrendelBethgeAttack, "l1", _BRENDEL_BETHGE),
    "L0BrendelBethgeAttack": _minimal(fa.L0BrendelBethgeAttack, "l0", _BRENDEL_BETHGE),
    # the smallest perturbation, by decisions
    "hop_skip_jump": Declaration(  # Chen et al. 2020
        build=fa.HopSkipJumpAttack,
        passes=_hop_skip_jump_passes,
        norms=("l2", "linf"),
        norm_option="constraint",
        access=DECISIONS,
        minimal_norm=True,
        options={
            "steps": COUNT,
            "initial_gradient_eval_steps": COUNT,
            "max_gradient_eval_steps": COUNT,
            "stepsize_search": Option(kind="choice", choices=("geometric_progression", "grid_search")),
            "gamma": POSITIVE,
            "constraint": Option(kind="choice", choices=("linf", "l2")),
        },
    ),
    "boundary": _minimal(  # Brendel et al. 2018
        fa.BoundaryAttack,
        "l2",
        {
            "steps": COUNT,
            "spherical_step": POSITIVE,
            "source_step": POSITIVE,
            "source_step_convergance": NOT_NEGATIVE,
            "step_adaptation": Option(kind="number", above=1),
            "update_stats_every_k": COUNT,
        },
        access=DECISIONS,
        passes=lambda options: 2 * int(options["steps"]),
    ),
    "SaltAndPepperNoiseAttack": _minimal(
        fa.SaltAndPepperNoiseAttack, "l2", {"steps": COUNT, "across_channels": FLAG}, access=DECISIONS
    ),
    "PointwiseAttack": _search(fa.PointwiseAttack, l2_binary_search=FLAG),
    "LinearSearchBlendedUniformNoiseAttack": _search(
        fa.LinearSearchBlendedUniformNoiseAttack, directions=COUNT, steps=COUNT
    ),
    "LinearSearchContrastReductionAttack": _search(fa.LinearSearchContrastReductionAttack, steps=COUNT, target=SHARE),
    "BinarySearchContrastReductionAttack": _search(
        fa.BinarySearchContrastReductionAttack, binary_search_steps=COUNT, target=SHARE
    ),
    "GaussianBlurAttack": _search(fa.GaussianBlurAttack, steps=COUNT, max_sigma=POSITIVE_OR_NULL),
    "InversionAttack": _search(fa.InversionAttack),
    # by scores
    "GenAttack": Declaration(
        build=fa.GenAttack,
        norms=("linf",),
        access=SCORES,
        goal=TARGETED,
        options={
            "steps": COUNT,
            "population": Option(kind="integer", low=2),
            "mutation_probability": SHARE,
            "mutation_range": NOT_NEGATIVE,
            "sampling_temperature": POSITIVE,
            "reduced_dims": Option(kind="list", items=COUNT, low=2, high=2, optional=True),
        },
    ),
    # noise, the control that every attack must beat; and what asks the classifier nothing either
    "noise_linf": _noise(fa.LinfAdditiveUniformNoiseAttack, "linf"),
    "L2AdditiveUniformNoiseAttack": _noise(fa.L2AdditiveUniformNoiseAttack, "l2"),
    "L2AdditiveGaussianNoiseAttack": _noise(fa.L2AdditiveGaussianNoiseAttack, "l2"),
    "L2ClippingAwareAdditiveUniformNoiseAttack": _noise(fa.L2ClippingAwareAdditiveUniformNoiseAttack, "l2"),
    "L2ClippingAwareAdditiveGaussianNoiseAttack": _noise(fa.L2ClippingAwareAdditiveGaussianNoiseAttack, "l2"),
    "LinfRepeatedAdditiveUniformNoiseAttack": Declaration(
        build=fa.LinfRepeatedAdditiveUniformNoiseAttack, norms=("linf",), access=DECISIONS, options=_REPEATED
    ),
    "L2RepeatedAdditiveUniformNoiseAttack": _repeated_noise(fa.L2RepeatedAdditiveUniformNoiseAttack),
    "L2RepeatedAdditiveGaussianNoiseAttack": _repeated_noise(fa.L2RepeatedAdditiveGaussianNoiseAttack),
    "L2ClippingAwareRepeatedAdditiveUniformNoiseAttack": _repeated_noise(
        fa.L2ClippingAwareRepeatedAdditiveUniformNoiseAttack
    ),
    "L2ClippingAwareRepeatedAdditiveGaussianNoiseAttack": _repeated_noise(
        fa.L2ClippingAwareRepeatedAdditiveGaussianNoiseAttack
    ),
    "L2ContrastReductionAttack": Declaration(
        build=fa.L2ContrastReductionAttack, norms=("l2",), access=NOTHING, options={"target": SHARE}
    ),
}
"""By name: the field's short name, or foolbox's class name where there is none."""
