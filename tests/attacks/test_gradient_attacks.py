"""Gradient attacks: hand-worked answers, foolbox bit for bit, and the active set against the plain loop."""

import foolbox as fb
import numpy as np
import pytest
import torch
from conftest import Counting, Linear
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.attacks import AttackError, AttackSpec, run_attack, run_attack_grid
from bench.attacks.gradient import random_start
from bench.attacks.spec import build_foolbox
from bench.errors import ConfigurationError

DESCENTS = {
    "fgsm": {},
    "fgm_l2": {},
    "pgd_linf": {"steps": 6},
    "pgd_l2": {"steps": 6},
    "pgd_l1": {"steps": 6},
    "bim_linf": {"steps": 6},
    "bim_l2": {"steps": 6},
    "mi_fgsm": {"steps": 6},
    "LinfAdamProjectedGradientDescentAttack": {"steps": 6},
    "L2AdamBasicIterativeAttack": {"steps": 6},
}
EPSILON = {"linf": 0.02, "l2": 0.4, "l1": 8.0}


def seeds(n, start=0):
    return range(start, start + n)


# Weights (1, -2, 0) on one pixel's channels; image (0.5, 0.5, 0.5): score = -0.5 + b.
HAND = Linear([1.0, -2.0, 0.0], 0.4).eval()  # score -0.1: class 0
PIXEL = torch.full((1, 3, 1, 1), 0.5)
ZERO = torch.tensor([0])


def test_fgsm_by_hand():
    result = run_attack(HAND, PIXEL, ZERO, AttackSpec("fgsm"), 0.1, seeds=[0])
    # the loss of class 0 grows with the score: x + eps * sign(w), and sign(0) = 0
    torch.testing.assert_close(result.adversarials.flatten(), torch.tensor([0.6, 0.4, 0.5]))
    assert result.success.tolist() == [True]
    assert result.prediction.tolist() == [1]
    assert result.distance == pytest.approx([0.1], abs=1e-7)
    assert result.zero_gradient == pytest.approx([1 / 3])
    # score = 0.6 - 0.8 + 0.4 = 0.2; softmax(0, 0.2)[1]
    assert result.confidence == pytest.approx([1 / (1 + np.exp(-0.2))], abs=1e-6)


def test_fgsm_fails_just_below_the_margin():
    # The score moves by eps * |w|_1 = 3 eps; the margin is 0.1.
    grid = run_attack_grid(HAND, PIXEL, ZERO, AttackSpec("fgsm"), [0.0, 0.033, 0.034], seeds=[0])
    assert [bool(result.success[0]) for result in grid] == [False, False, True]
    assert torch.equal(grid[0].adversarials, PIXEL)


def test_l2_pgd_by_hand():
    spec = AttackSpec("bim_l2", {"steps": 1, "rel_stepsize": 1.0})
    result = run_attack(HAND, PIXEL, ZERO, spec, 0.1, seeds=[0])
    step = 0.1 / np.sqrt(5)
    torch.testing.assert_close(result.adversarials.flatten(), torch.tensor([0.5 + step, 0.5 - 2 * step, 0.5]).float())
    assert result.distance == pytest.approx([0.1], abs=1e-6)


@given(weight=st.lists(st.floats(-3, 3), min_size=12, max_size=12), bias=st.floats(-1, 1), epsilon=st.floats(0, 0.3))
@settings(max_examples=25, deadline=None)
def test_pgd_on_a_linear_classifier_is_exact(weight, bias, epsilon):
    """A linear classifier falls to an Linf attack exactly when the best corner of the (clipped) ball crosses."""
    images = torch.rand(5, 3, 2, 2, generator=torch.Generator().manual_seed(3))
    model = Linear(weight, bias).eval()
    labels = model(images).argmax(1)
    spec = AttackSpec("bim_linf", {"steps": 1, "rel_stepsize": 1.0})
    result = run_attack(model, images, labels, spec, epsilon, seeds=seeds(5))
    push = torch.sign(model.weight.detach()) * torch.where(labels == 1, -1.0, 1.0)[:, None]
    corner = (images.flatten(1) + epsilon * push).clamp(0, 1)
    broken = model(corner).argmax(1) != labels
    margin = (corner @ model.weight.detach() + bias).abs()
    clear = (margin > 1e-4).numpy()
    assert (result.success == broken.numpy())[clear].all()


@pytest.mark.parametrize("name", DESCENTS)
def test_foolbox_bit_for_bit_with_the_active_set_off(name, small_net, small_data):
    images, labels = small_data[0][2:], small_data[1][2:]
    spec = AttackSpec(name, DESCENTS[name], active_set=False)
    attack = build_foolbox(spec)
    epsilon = EPSILON[{0: "l0", 1: "l1", 2: "l2"}.get(attack.distance.p, "linf")]
    ours = run_attack(small_net, images, labels, spec, epsilon, seeds=seeds(22))
    if attack.random_start:  # foolbox's own draw for each image alone
        starts = []
        for i in range(22):
            torch.manual_seed(i)
            starts.append(attack.get_random_start(fb.attacks.base.ep.astensor(images[i : i + 1]), epsilon).raw)
        attack.get_random_start = lambda x0, eps: fb.attacks.base.ep.astensor(torch.cat(starts))
    model = fb.PyTorchModel(small_net, bounds=(0, 1))
    _, expected, success = attack(model, images, labels, epsilons=epsilon)
    assert torch.equal(ours.adversarials, expected.clamp(0, 1))
    assert (ours.success == success.numpy()).all()


@pytest.mark.parametrize("threads", [1, 3])
def test_the_start_of_linf_is_foolboxs_for_each_image_alone(threads):
    images = torch.rand(5, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    attack = build_foolbox(AttackSpec("pgd_linf", {}))
    expected = []
    for seed, image in enumerate(images, start=2**40):
        torch.manual_seed(seed)
        expected.append(attack.get_random_start(fb.attacks.base.ep.astensor(image[None]), 0.03).raw)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        started = random_start(attack, images, 0.03, range(2**40, 2**40 + 5))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(started, torch.cat(expected))


@pytest.mark.parametrize("name", DESCENTS)
def test_active_set_is_the_plain_loop_at_the_step_each_left(name, small_net, small_data):
    images, labels = small_data
    spec = AttackSpec(name, DESCENTS[name])
    attack = build_foolbox(spec)
    epsilon = EPSILON[{0: "l0", 1: "l1", 2: "l2"}.get(attack.distance.p, "linf")]
    result = run_attack(small_net, images, labels, spec, epsilon, seeds=seeds(24))
    model = fb.PyTorchModel(small_net, bounds=(0, 1))
    left_early = 0
    for i in range(24):
        image, label = images[i : i + 1], labels[i : i + 1]
        if result.stage[i] == "clean":
            assert torch.equal(result.adversarials[i : i + 1], image)
            assert result.queries[i] == 0
            continue
        # brute force: the plain loop of 0, 1, 2, ... steps, one image at a time, until the image is broken
        for steps in range(attack.steps + 1):
            torch.manual_seed(i)
            plain = build_foolbox(spec)
            plain.steps = steps
            iterate = plain.run(model, image, label, epsilon=epsilon)
            if small_net(iterate).argmax(1) != label:
                break
        torch.testing.assert_close(result.adversarials[i : i + 1], iterate, rtol=0, atol=2e-6)
        assert result.success[i] == bool(small_net(iterate).argmax(1) != label)
        assert result.queries[i] == steps + 1
        left_early += steps < attack.steps
    assert left_early or name in ("fgsm", "fgm_l2")
    assert result.stage[:2].tolist() == ["clean", "clean"]


def test_outcomes_depend_on_neither_batch_nor_order(small_net, small_data):
    images, labels = small_data
    spec = AttackSpec("pgd_linf", {"steps": 5}, restarts=2)
    whole = run_attack(small_net, images, labels, spec, 0.01, seeds=seeds(24))
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))
    for part in order.split(5):
        piece = run_attack(small_net, images[part], labels[part], spec, 0.01, seeds=part.tolist())
        torch.testing.assert_close(piece.adversarials, whole.adversarials[part], rtol=0, atol=2e-6)
        assert (piece.success == whole.success[part]).all()
        assert (piece.queries == whole.queries[part]).all()


def test_batch_shrinks_and_queries_are_what_the_classifier_saw(small_net, small_data):
    images, labels = small_data
    counting = Counting(small_net).eval()
    spec = AttackSpec("pgd_linf", {"steps": 8}, restarts=3)
    result = run_attack(counting, images, labels, spec, 0.006, seeds=seeds(24))
    assert counting.images == 24 + result.queries.sum()  # the clean check, then the attack
    assert counting.batches[1] == 22
    assert 0 < result.success[2:].mean() < 1
    survivors = ~result.success
    assert (result.queries[survivors] == 3 * 9).all()  # every restart in full, on survivors only
    once = run_attack(small_net, images, labels, AttackSpec("pgd_linf", {"steps": 8}), 0.006, seeds=seeds(24))
    assert (result.success | ~once.success).all(), "a restart lost what the first run found"
    first = once.success & (once.stage != "clean")
    assert torch.equal(result.adversarials[first], once.adversarials[first])


def test_targeted(small_net, small_data):
    images, labels = small_data
    spec = AttackSpec("pgd_linf", {"steps": 20}, target="random")
    result = run_attack(small_net, images, labels, spec, 0.1, seeds=seeds(24))
    again = run_attack(small_net, images[5:9], labels[5:9], spec, 0.1, seeds=seeds(4, 5))
    assert (again.prediction == result.prediction[5:9]).all()
    hit = result.success & (result.stage != "clean")
    assert hit.sum() >= 15
    explicit = (labels + 3) % 10
    aimed = run_attack(
        small_net, images, labels, AttackSpec("pgd_linf", {"steps": 20}), 0.1, seeds=seeds(24), targets=explicit
    )
    assert (aimed.prediction[aimed.success] == explicit.numpy()[aimed.success]).all()
    with pytest.raises(ConfigurationError, match="true class"):
        run_attack(small_net, images, labels, AttackSpec("bim_linf"), 0.1, seeds=seeds(24), targets=labels)
    least = run_attack(
        small_net, images, labels, AttackSpec("bim_linf", {"steps": 40}, target="least_likely"), 0.3, seeds=seeds(24)
    )
    with torch.no_grad():
        bottom = small_net(images).argmin(1).numpy()
    assert (least.prediction[least.success] == bottom[least.success]).all()
    assert least.success.any()


def test_no_weight_gradients_are_accumulated(small_net, small_data):
    small_net.requires_grad_(True).zero_grad()
    run_attack(small_net, *small_data, AttackSpec("pgd_linf", {"steps": 2}), 0.01, seeds=seeds(24))
    assert all(parameter.grad is None for parameter in small_net.parameters())


def test_random_state_is_left_alone(small_net, small_data):
    torch.manual_seed(5), np.random.seed(5)
    expected = torch.rand(1), np.random.rand()
    torch.manual_seed(5), np.random.seed(5)
    run_attack(small_net, *small_data, AttackSpec("pgd_l1", {"steps": 1}), 1.0, seeds=seeds(24))
    run_attack(small_net, *small_data, AttackSpec("noise_linf"), 0.1, seeds=seeds(24))
    assert torch.rand(1) == expected[0]
    assert np.random.rand() == expected[1]


class Overflowing(torch.nn.Module):
    """Sound on the image itself, and not finite as soon as it is attacked."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, images):
        logits = HAND(images)
        attacked = (images != PIXEL).flatten(1).any(dim=1)
        return torch.where(attacked[:, None], torch.tensor([0.0, self.value]), logits)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("name", ["fgsm", "pgd_linf", "square"])
def test_logits_that_are_not_finite_raise(name, value):
    """A logit of minus infinity would read as an image that withstands everything, plus infinity as one that fell."""
    with pytest.raises(AttackError, match="NaN or infinite"):
        run_attack(Overflowing(value).eval(), PIXEL, ZERO, AttackSpec(name), 0.1, seeds=[0])


def test_an_attack_that_leaves_its_ball_raises(small_net, small_data, monkeypatch):
    from foolbox.attacks.gradient_descent_base import LinfBaseGradientDescent

    monkeypatch.setattr(LinfBaseGradientDescent, "project", lambda self, x, x0, epsilon: x0 + 2 * (x - x0))
    with pytest.raises(AttackError, match="linf ball"):
        run_attack(small_net, *small_data, AttackSpec("bim_linf", {"steps": 2}), 0.01, seeds=seeds(24))


def test_a_crashed_attack_raises(small_net, small_data, monkeypatch):
    from foolbox.attacks import L2DeepFoolAttack

    def crash(*args, **kwargs):
        raise RuntimeError("out of ideas")

    monkeypatch.setattr(L2DeepFoolAttack, "get_distances", crash)
    with pytest.raises(RuntimeError, match="out of ideas"):
        run_attack(small_net, *small_data, AttackSpec("deepfool_l2"), 0.1, seeds=seeds(24))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": [0]}, "seeds"),
        ({"images": torch.full((24, 3, 16, 16), 2.0)}, r"\[0,1\]"),
        ({"epsilon": -0.1}, "epsilon"),
        ({"epsilon": float("inf")}, "epsilon"),
    ],
)
def test_inputs_that_cannot_work_are_refused(small_net, small_data, change, message):
    images, labels = small_data
    given_ = {"images": images, "epsilon": 0.1, "seeds": seeds(24), **change}
    with pytest.raises(ConfigurationError, match=message):
        run_attack(small_net, given_["images"], labels, AttackSpec("fgsm"), given_["epsilon"], seeds=given_["seeds"])


def test_training_mode_is_refused():
    with pytest.raises(ConfigurationError, match="training mode"):
        run_attack(Linear([1.0, 1.0, 1.0], 0).train(), PIXEL, ZERO, AttackSpec("fgsm"), 0.1, seeds=[0])
