"""Attack names and parameters are checked before any work."""

import pytest

from bench.attacks import AttackSpec, attack_names
from bench.attacks.spec import ALIASES, OWN, build_foolbox, norm_of
from bench.errors import ConfigurationError


@pytest.mark.parametrize("alias", ALIASES)
def test_every_alias_builds(alias):
    spec = AttackSpec(alias)
    assert norm_of(build_foolbox(spec), spec) in ("linf", "l2", "l1")


def test_every_listed_name_can_be_specified():
    needs = {"VirtualAdversarialAttack": {"steps": 1}}
    open_norm = {
        "BinarySearchContrastReductionAttack", "GaussianBlurAttack", "InversionAttack", "PointwiseAttack",
        "LinearSearchBlendedUniformNoiseAttack", "LinearSearchContrastReductionAttack",
    }  # fmt: skip
    names = attack_names()
    assert len(names) > 50
    for name in names:
        norm = "l2" if name in open_norm else None
        assert AttackSpec(name, needs.get(name, {}), norm=norm).name == name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "pgd_lin"}, "did you mean 'pgd_linf'"),
        ({"name": "pgd_linf", "parameters": {"step": 3}}, "did you mean 'steps'"),
        ({"name": "pgd_linf", "norm": "l2"}, "measures in linf"),
        ({"name": "pgd_linf", "restarts": 0}, "restarts"),
        ({"name": "pgd_linf", "target": "randm"}, "did you mean 'random'"),
        ({"name": "fgsm", "target": "random"}, "untargeted"),
        ({"name": "DatasetAttack"}, "fed in"),
        ({"name": "L2FMNAttack"}, "use fmn_l2"),
        ({"name": "SpatialAttack"}, "no perturbation norm"),
        ({"name": "PointwiseAttack"}, "norm open"),
        ({"name": "hop_skip_jump", "parameters": {"constraint": "l7"}}, "refuses"),
        ({"name": "VirtualAdversarialAttack"}, "missing 1 required"),
        ({"name": "hop_skip_jump", "parameters": {"init_attack": "x"}}, "no parameter"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        AttackSpec(**arguments)


def test_minimal_norm():
    assert AttackSpec("deepfool_l2").minimal_norm
    assert not AttackSpec("pgd_linf").minimal_norm
    assert set(OWN) <= set(attack_names())


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
