"""Attack names, options and radii are checked before any work, against one table of all attacks."""

import inspect

import pytest
from foolbox.attacks.base import FixedEpsilonAttack, FlexibleDistanceMinimizationAttack

from bench.attacks import AttackSpec, attack_names, run_attack
from bench.attacks.autoattack import AutoAttackSettings
from bench.attacks.catalogue import ATTACKS
from bench.attacks.declaration import GRADIENT, GRADIENT_AND_SCORES, SCORES
from bench.attacks.spec import build_foolbox, canonical_name
from bench.errors import ConfigurationError

FOOLBOX = [name for name, declared in ATTACKS.items() if not declared.is_own]
NORMS = {0: "l0", 1: "l1", 2: "l2", float("inf"): "linf"}
NOT_OPTIONS = {"self", "args", "kwargs", "distance", "init_attack", "tensorboard", "channel_axis"}
"""What a configuration cannot give, or that is known: images are ``(B,3,H,W)``."""


def spec(name, options=None, **changes):
    declared = ATTACKS[name]
    needed = {"VirtualAdversarialAttack": {"steps": 1}}.get(name, {})
    changes.setdefault("norm", "l2" if declared.norm_must_be_chosen else None)
    changes.setdefault("target", "random" if declared.goal == "targeted" else "")
    return AttackSpec(name, {**needed, **(options or {})}, **changes)


# foolbox says so where numba has not compiled it before
@pytest.mark.filterwarnings("ignore:At the first initialisation the optimizer needs to be compiled:UserWarning")
@pytest.mark.parametrize("name", FOOLBOX)
def test_the_table_says_what_foolbox_says(name):
    declared, attack = ATTACKS[name], build_foolbox(spec(name))
    assert set(declared.options) == set(inspect.signature(declared.build.__init__).parameters) - NOT_OPTIONS
    assert declared.minimal_norm is not isinstance(attack, FixedEpsilonAttack)
    assert declared.norm_must_be_chosen is isinstance(attack, FlexibleDistanceMinimizationAttack)
    assert NORMS[attack.distance.p] == spec(name).epsilon_norm
    assert len(declared.norms) == 1 or declared.norm_must_be_chosen or declared.norm_option


def test_every_listed_name_can_be_specified():
    names = attack_names()
    assert len(names) > 50
    for name in names:
        assert spec(canonical_name(name)).name == canonical_name(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (AttackSpec("pgd_linf"), AttackSpec("LinfProjectedGradientDescentAttack")),
        (AttackSpec("pgd_linf", {"steps": 40}), AttackSpec("pgd_linf")),
        (AttackSpec("mi_fgsm", {"momentum": 1}), AttackSpec("mi_fgsm", {"momentum": 1.0})),
        (AttackSpec("bim_linf", {"abs_stepsize": "1/4"}), AttackSpec("bim_linf", {"abs_stepsize": 0.25})),
        (AttackSpec("hop_skip_jump"), AttackSpec("HopSkipJumpAttack", {"constraint": "l2"})),
    ],
)
def test_equal_attacks_are_equal_specs_however_they_are_written(one, other):
    assert one == other
    assert repr(one.parameters) == repr(other.parameters), "an identity is text: 1 and 1.0 are two"


def test_defaults_are_the_attacks_own():
    assert AttackSpec("pgd_linf").parameters == {
        "rel_stepsize": 0.01 / 0.3, "abs_stepsize": None, "steps": 40, "random_start": True
    }  # fmt: skip
    assert AttackSpec("square").parameters == {"queries": 5000, "p_init": 0.8, "rescale": True}


def test_what_changes_no_outcome_is_no_part_of_the_identity():
    assert AttackSpec("one_pixel", {"batch_size": 7}).identity == AttackSpec("one_pixel").identity


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "pgd_lin"}, "did you mean 'pgd_linf'"),
        ({"name": "pgd_linf", "parameters": {"step": 3}}, "did you mean 'steps'"),
        ({"name": "noise_linf", "parameters": {"steps": 3}}, "has no parameter 'steps'; it has none"),
        ({"name": "pgd_linf", "norm": "l2"}, "measures in linf"),
        ({"name": "pgd_linf", "restarts": 0}, "restarts"),
        ({"name": "pgd_linf", "target": "randm"}, "did you mean 'random'"),
        ({"name": "fgsm", "target": "random"}, "untargeted"),
        ({"name": "deepfool_l2", "target": "random"}, "untargeted"),
        ({"name": "autoattack", "target": "next"}, "untargeted"),
        ({"name": "GenAttack"}, "needs a target: random, next, least_likely"),
        ({"name": "DatasetAttack"}, "fed in"),
        ({"name": "L2FMNAttack"}, "use fmn_l2"),
        ({"name": "SpatialAttack"}, "no perturbation norm"),
        ({"name": "PointwiseAttack"}, "norm open"),
        ({"name": "hop_skip_jump", "norm": "linf"}, "measures in l2, not linf; set options.constraint"),
        ({"name": "VirtualAdversarialAttack"}, "needs options.steps: a whole number of at least 1"),
        ({"name": "hop_skip_jump", "parameters": {"init_attack": "x"}}, "no parameter"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        AttackSpec(**arguments)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("pgd_linf", {"steps": 0}, r"steps is a whole number of at least 1 \(by default 40\), not 0"),
        ("pgd_linf", {"steps": -3}, "steps"),
        ("pgd_linf", {"steps": 2.5}, "steps is a whole number .* not 2.5"),
        ("pgd_linf", {"steps": True}, "steps is a whole number .* not true"),
        ("pgd_linf", {"steps": "20"}, 'steps is a whole number .* not "20"'),
        ("pgd_linf", {"rel_stepsize": 0}, "rel_stepsize is a number above 0"),
        ("pgd_linf", {"rel_stepsize": float("inf")}, "rel_stepsize"),
        ("pgd_linf", {"rel_stepsize": float("nan")}, "rel_stepsize"),
        ("pgd_linf", {"abs_stepsize": 2}, r"abs_stepsize is a number above 0 up to 1, or null \(by default null\)"),
        ("pgd_linf", {"random_start": "yes"}, "random_start is true or false"),
        ("mi_fgsm", {"momentum": -1}, "momentum is a number of at least 0"),
        ("hop_skip_jump", {"constraint": "l7"}, "constraint is one of linf, l2"),
        ("hop_skip_jump", {"steps": 0}, "steps"),
        ("one_pixel", {"population": 3}, "population is a whole number of at least 4"),
        ("one_pixel", {"scale": 0}, "scale is a number above 0 up to 2"),
        ("square", {"queries": 0}, r"queries is a whole number of at least 1 \(by default 5000\)"),
        ("square", {"p_init": 1.5}, "p_init"),
        ("autoattack", {"queries": 0}, "queries"),
        ("autoattack", {"target_classes": 0}, "target_classes"),
        ("autoattack", {"stages": []}, "stages is a list of apgd-ce, apgd-t, fab-t, square, each at most once"),
        ("autoattack", {"stages": ["apgd"]}, "stages"),
        ("autoattack", {"stages": ["square", "square"]}, "stages"),
        ("autoattack", {"stages": "square"}, "stages"),
        ("cw_l2", {"initial_const": 0}, "initial_const"),
        ("boundary", {"step_adaptation": 1}, "step_adaptation is a number above 1"),
    ],
)
def test_an_option_out_of_range_is_refused_with_its_range_and_default(name, options, message):
    with pytest.raises(ConfigurationError, match=message):
        spec(name, options)


@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_runs_without_steps_or_with_endless_ones(name):
    for option, declared in ATTACKS[name].options.items():
        if declared.kind in ("integer", "number"):
            for value in (-1, float("nan"), float("inf"), "many", [1]):
                with pytest.raises(ConfigurationError, match=option):
                    spec(name, {option: value})
        if option.endswith("steps") or option == "queries":
            with pytest.raises(ConfigurationError, match="at least 1"):
                spec(name, {option: 0})


@pytest.mark.parametrize(
    ("name", "epsilon", "message"),
    [
        ("pgd_linf", 8, "epsilon 8 is beyond 1, .* write 8/255 for 8 grey levels"),
        ("fgsm", 2, "write 2/255"),
        ("pgd_l2", 195, "beyond 193.99"),  # half of sqrt(3 * 224 * 224)
        ("pgd_l1", 75265, "beyond 75264"),
        ("one_pixel", 0.5, "how many pixels may change"),
        ("one_pixel", 50177, "beyond 50176"),
        ("L0FMNAttack", 1.5, "how many values may change"),
        ("pgd_linf", -0.1, "negative or not finite"),
        ("pgd_linf", float("inf"), "negative or not finite"),
        ("pgd_linf", float("nan"), "negative or not finite"),
    ],
)
def test_a_radius_that_cannot_be_meant_is_refused(name, epsilon, message):
    with pytest.raises(ConfigurationError, match=message):
        AttackSpec(name).check_epsilon(epsilon)


@pytest.mark.parametrize(("name", "epsilon"), [("pgd_linf", 0), ("pgd_linf", 1), ("pgd_l2", 3.0), ("one_pixel", 5)])
def test_a_radius_that_can_be_meant_is_not(name, epsilon):
    AttackSpec(name).check_epsilon(epsilon)


def test_the_bound_on_epsilon_is_that_of_the_images_once_they_are_known():
    small = 3 * 32 * 32
    AttackSpec("pgd_l2").check_epsilon(27.7, small)
    with pytest.raises(ConfigurationError, match=r"beyond 27\.71"):
        AttackSpec("pgd_l2").check_epsilon(28, small)


def test_minimal_norm():
    assert AttackSpec("deepfool_l2").minimal_norm
    assert not AttackSpec("pgd_linf").minimal_norm


@pytest.mark.parametrize(
    ("name", "norm"),
    [
        ("fgsm", "linf"),
        ("pgd_l1", "l1"),
        ("ddn", "l2"),
        ("one_pixel", "pixels"),
        ("square", "linf"),
        ("L0FMNAttack", "l0"),
    ],
)
def test_epsilon_norm(name, norm):
    assert AttackSpec(name).epsilon_norm == norm


def test_epsilon_norm_can_be_chosen_where_it_is_open():
    assert AttackSpec("autoattack", norm="l2").epsilon_norm == "l2"
    assert AttackSpec("hop_skip_jump", {"constraint": "linf"}).epsilon_norm == "linf"
    assert AttackSpec("PointwiseAttack", norm="l0").epsilon_norm == "l0"


def test_autoattack_is_standard_by_default_and_says_how_it_departs_from_it():
    """Croce & Hein 2020: APGD-CE, APGD-T and FAB-T on 9 targets, 100 steps, Square with 5,000 queries, one restart."""
    assert (
        AutoAttackSettings(stages=("apgd-ce", "apgd-t", "fab-t", "square"), steps=100, target_classes=9, queries=5000)
        == AutoAttackSettings()
    )
    written_out = {"steps": 100, "target_classes": 9, "queries": 5000}
    assert AttackSpec("autoattack", written_out).departure == AttackSpec("autoattack").departure == ""
    few = AttackSpec("autoattack", {"queries": 50, "target_classes": 3})
    assert few.departure == "reduced: target_classes 3 of 9, queries 50 of 5000"
    assert AttackSpec("autoattack", {"stages": ["apgd-ce"]}).departure == "reduced: stages apgd-ce"
    assert AttackSpec("autoattack", {"steps": 200}).departure == "custom: steps 200 of 100"
    assert AttackSpec("autoattack", restarts=2).departure == "custom: restarts 2 of 1"
    assert AttackSpec("autoattack", {"steps": 50}, restarts=2).departure == "reduced: steps 50 of 100, restarts 2 of 1"
    assert AttackSpec("pgd_linf", {"steps": 1}).departure == "", "no budget of PGD is a standard"


def test_what_a_cascade_sees_depends_on_its_stages():
    assert AttackSpec("autoattack").access == GRADIENT_AND_SCORES
    assert AttackSpec("autoattack", {"stages": ["apgd-ce", "fab-t"]}).access == GRADIENT
    assert AttackSpec("autoattack", {"stages": ["square"]}).access == SCORES


def test_a_run_refuses_radii_that_mean_nothing_on_its_images(small_net, small_data):
    images, labels = small_data
    with pytest.raises(ConfigurationError, match=r"beyond 13\.8564"):  # half of sqrt(3 * 16 * 16)
        run_attack(small_net, images, labels, AttackSpec("pgd_l2"), 14, seeds=range(24))
