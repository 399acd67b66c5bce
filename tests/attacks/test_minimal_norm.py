"""Minimal-norm and decision-based foolbox attacks: hand-worked distances, shared grids, per-image seeds."""

import foolbox as fb
import numpy as np
import pytest
import torch
from conftest import Counting, Linear

from bench.attacks import AttackSpec, run_attack, run_attack_grid
from bench.attacks.spec import build_foolbox, largest_epsilon


def seeds(n, start=0):
    return range(start, start + n)


def linear_case():
    """Four images at known L2 distances from a hyperplane far inside [0,1]: |score| / |w|."""
    weight = torch.tensor([3.0, -4.0] + [0.0] * 10)
    images = torch.full((4, 3, 2, 2), 0.5)
    images[:, 0, 0, 0] += torch.tensor([0.02, 0.05, -0.1, 0.2])
    model = Linear(weight, 0.5).eval()  # at the centre the score is 1.5 - 2 + 0.5 = 0
    labels = torch.tensor([1, 1, 0, 1])
    return model, images, labels, np.array([0.06, 0.15, 0.3, 0.6]) / 5


@pytest.mark.parametrize(
    ("spec", "tolerance"),
    [
        (AttackSpec("deepfool_l2", {"overshoot": 1e-4}), 0.03),
        (AttackSpec("cw_l2", {"binary_search_steps": 6, "steps": 300, "abort_early": False}), 0.05),
        (AttackSpec("ddn", {"steps": 100, "init_epsilon": 0.1}), 0.2),
        (AttackSpec("fmn_l2", {"steps": 100}), 0.1),
        (AttackSpec("fmn_linf", {"steps": 200}), 0.1),
        (AttackSpec("L1FMNAttack", {"steps": 200}), 0.1),
        (AttackSpec("deepfool_linf", {"overshoot": 1e-4}), 0.05),
    ],
)
def test_distance_to_a_hyperplane(spec, tolerance):
    """|score| over the dual norm of the weights (3, -4): 5 in L2, 7 for Linf, 4 for L1."""
    model, images, labels, expected = linear_case()
    if "FMN" in spec.name or spec.name == "fmn_linf":
        # FMN steps exactly onto a hyperplane, where the tie goes to class 0: leave out the image of that class.
        images, labels, expected = images[[0, 1, 3, 3]], labels[[0, 1, 3, 3]], expected[[0, 1, 3, 3]]
    expected = expected * 5 / {"l2": 5, "linf": 7, "l1": 4}[spec.epsilon_norm]
    result = run_attack(model, images, labels, spec, 1.0, seeds=seeds(4))
    assert result.success.all()
    assert (result.distance >= expected * (1 - 1e-4)).all(), "closer than the hyperplane itself"
    assert result.distance == pytest.approx(expected, rel=tolerance, abs=2e-3)


def test_grid_shares_one_run_and_success_means_close_enough():
    model, images, labels, expected = linear_case()
    counting = Counting(model).eval()
    spec = AttackSpec("deepfool_l2", {"overshoot": 1e-3})
    epsilons = [0.0, 0.02, 0.04, 0.08, 0.5]
    grid = run_attack_grid(counting, images, labels, spec, epsilons, seeds=seeds(4))
    one = Counting(model).eval()
    run_attack(one, images, labels, spec, 0.5, seeds=seeds(4))
    assert counting.images == one.images, "an epsilon grid must cost one run"
    for epsilon, result in zip(epsilons, grid, strict=True):
        assert (result.success == (expected * 1.01 <= epsilon)).all()
        assert (result.distance == grid[0].distance).all()
        assert (result.prediction != labels.numpy()).tolist() == result.success.tolist()
        kept = ~result.success
        assert torch.equal(result.adversarials[kept], images[kept])
    assert [int(result.success.sum()) for result in grid] == [0, 1, 2, 3, 4]


class Stubborn(torch.nn.Module):
    def forward(self, images):
        return torch.tensor([1.0, 0.0]).expand(len(images), 2) + 0 * images.mean()


@pytest.mark.parametrize("name", ["deepfool_l2", "fmn_l2", "hop_skip_jump", "boundary"])
def test_a_constant_classifier_is_never_broken(name):
    images, labels = (
        torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)),
        torch.zeros(2, dtype=torch.long),
    )
    with pytest.warns(UserWarning, match="failed to draw") if name in ("hop_skip_jump", "boundary") else _quiet():
        result = run_attack(Stubborn().eval(), images, labels, AttackSpec(name), 1.0, seeds=seeds(2))
    assert not result.success.any()
    assert np.isinf(result.distance).all()
    assert (result.stage == "").all()


def _quiet():
    import contextlib

    return contextlib.nullcontext()


BATCHED = {
    "deepfool_l2": {"steps": 5},
    "deepfool_linf": {"steps": 5},
    "ddn": {"steps": 8},
    "fmn_l2": {"steps": 8},
    "fmn_linf": {"steps": 8},
    "L1FMNAttack": {"steps": 8},
    "NewtonFoolAttack": {"steps": 5},
    "cw_l2": {"steps": 8, "binary_search_steps": 2, "abort_early": False},
}
RANDOM = {
    "hop_skip_jump": {"steps": 2, "initial_gradient_eval_steps": 10},
    "boundary": {"steps": 30},
    "noise_linf": {},
    "L2RepeatedAdditiveGaussianNoiseAttack": {"repeats": 3},
    "SaltAndPepperNoiseAttack": {"steps": 20},
    "EADAttack": {"steps": 5, "binary_search_steps": 2},
    "SparseL1DescentAttack": {"steps": 3, "random_start": True},
    "VirtualAdversarialAttack": {"steps": 2},
    "LinfinityBrendelBethgeAttack": {"steps": 3},
}


@pytest.mark.parametrize("name", [*BATCHED, *(name for name in RANDOM if name != "LinfinityBrendelBethgeAttack")])
def test_outcomes_do_not_depend_on_the_batch(name, small_net, small_data):
    images, labels = small_data[0][:9], small_data[1][:9]
    spec = AttackSpec(name, {**BATCHED, **RANDOM}[name])
    whole = run_attack(small_net, images, labels, spec, 0.5, seeds=seeds(9))
    for row in (3, 8):
        alone = run_attack(small_net, images[row : row + 1], labels[row : row + 1], spec, 0.5, seeds=[row])
        torch.testing.assert_close(alone.adversarials[0], whole.adversarials[row], rtol=0, atol=1e-3)
        assert alone.success[0] == whole.success[row]
        assert alone.queries[0] == whole.queries[row]
        assert alone.distance == pytest.approx([whole.distance[row]], abs=1e-3)


@pytest.mark.parametrize("name", ["deepfool_l2", "ddn", "fmn_linf", "NewtonFoolAttack"])
def test_foolbox_bit_for_bit(name, small_net, small_data):
    images, labels = small_data[0][2:], small_data[1][2:]
    spec = AttackSpec(name, BATCHED[name])
    ours = run_attack(
        small_net, images, labels, spec, largest_epsilon(spec.epsilon_norm, images[0].numel()), seeds=seeds(22)
    )
    model = fb.PyTorchModel(small_net, bounds=(0, 1))
    raw, _, success = build_foolbox(spec)(model, images, labels, epsilons=None)
    hit = ours.success
    assert (hit == success.numpy()).all()
    assert hit.any()
    assert torch.equal(ours.adversarials[hit], raw.clamp(0, 1)[hit])


def test_queries_of_a_decision_based_attack_are_counted(small_net, small_data):
    counting = Counting(small_net).eval()
    images, labels = small_data[0][:5], small_data[1][:5]
    result = run_attack(
        counting, images, labels, AttackSpec("hop_skip_jump", RANDOM["hop_skip_jump"]), 5.0, seeds=seeds(5)
    )
    # clean check (5) + the attack + one look at each answer (3 attacked images)
    assert counting.images == 5 + result.queries.sum() + 3
    assert (result.queries[:2] == 0).all()
    assert (result.queries[2:] > 20).all()


def test_restarts_keep_the_closest(small_net, small_data):
    images, labels = small_data[0][:6], small_data[1][:6]
    noise = {"steps": 20}
    once = run_attack(small_net, images, labels, AttackSpec("SaltAndPepperNoiseAttack", noise), 9.0, seeds=seeds(6))
    more = run_attack(
        small_net, images, labels, AttackSpec("SaltAndPepperNoiseAttack", noise, restarts=4), 9.0, seeds=seeds(6)
    )
    assert (more.distance <= once.distance).all()
    assert (more.distance < once.distance).any()
    assert (more.queries[2:] > once.queries[2:]).all()


def test_targeted_minimal_norm(small_net, small_data):
    images, labels = small_data
    spec = AttackSpec("ddn", {"steps": 40}, target="next")
    result = run_attack(small_net, images, labels, spec, 10.0, seeds=seeds(24))
    hit = result.success & (result.stage == "ddn")
    assert hit.any()
    assert (result.prediction[hit] == ((labels + 1) % 10).numpy()[hit]).all()


class Plateau(torch.nn.Module):
    """Flat near the centre of every image: only a random step finds the way down."""

    def forward(self, images):
        far = ((images - 0.5).flatten(1).norm(dim=1) - 0.3).clamp(min=0)
        return torch.stack([torch.full_like(far, 0.1), far], dim=1)


def test_ddn_draws_for_a_zero_gradient_from_the_images_own_seed():
    images, labels = torch.full((3, 3, 4, 4), 0.5), torch.zeros(3, dtype=torch.int64)
    spec = AttackSpec("ddn", {"steps": 30, "init_epsilon": 0.2})
    torch.manual_seed(1)
    together = run_attack(Plateau().eval(), images, labels, spec, 3.0, seeds=[4, 5, 6])
    torch.manual_seed(2)
    again = run_attack(Plateau().eval(), images, labels, spec, 3.0, seeds=[4, 5, 6])
    alone = [run_attack(Plateau().eval(), images[:1], labels[:1], spec, 3.0, seeds=[seed]) for seed in (4, 5, 6)]
    assert together.success.all()
    assert torch.equal(together.adversarials, again.adversarials)
    assert torch.equal(together.adversarials, torch.cat([result.adversarials for result in alone]))
    assert not torch.equal(together.adversarials[0], together.adversarials[1])
