"""Attacks on defended classifiers: a masked gradient is flagged, and the adaptive one breaks what it hid."""

import numpy as np
import pytest
import torch
from conftest import Linear

from bench.attacks import AttackSpec, run_attack
from bench.attacks.self_checks import check_zero_gradients
from bench.models import DefendedClassifier
from bench.models.defenses import JPEG, BitDepth, NoiseVote, ResizeAndPad

PGD = AttackSpec("pgd_linf", {"steps": 10, "rel_stepsize": 0.25})


def attack(classifier, images, labels, spec=PGD, epsilon=0.06):
    return run_attack(classifier, images, labels, spec, epsilon, seeds=range(len(images)))


def test_fgsm_through_a_quantised_pixel_by_hand():
    # Score x0 - 2 x1 + 0.4. The pixel (0.6, 0.4, 0.5) becomes (1, 0, 0): score 1.4, class 1. Straight through, FGSM
    # lowers x0 to 0.45 and raises x1 to 0.55, which becomes (0, 1, 0): score -1.6, class 0. Naively, nothing moves.
    network = Linear([1.0, -2.0, 0.0], 0.4).eval()
    pixel, label = torch.tensor([0.6, 0.4, 0.5]).view(1, 3, 1, 1), torch.tensor([1])
    naive, adaptive = (
        attack(DefendedClassifier(network, BitDepth(bits=1, gradient=gradient)), pixel, label, AttackSpec("fgsm"), 0.15)
        for gradient in ("naive", "adaptive")
    )
    assert torch.equal(naive.adversarials, pixel)
    assert not naive.success[0]
    assert adaptive.success[0]
    torch.testing.assert_close(adaptive.adversarials.flatten(), torch.tensor([0.45, 0.55, 0.5]))


@pytest.mark.parametrize(
    "make",
    [lambda g: BitDepth(bits=3, gradient=g), lambda g: JPEG(quality=90, gradient=g)],
    ids=["bit_depth", "jpeg"],
)
def test_bpda_pgd_breaks_what_naive_pgd_does_not_and_the_naive_one_is_flagged(make, small_net, small_data):
    images, _ = small_data
    with torch.no_grad():
        labels = DefendedClassifier(small_net, make("naive"))(images).argmax(1)
    naive = attack(DefendedClassifier(small_net, make("naive")), images, labels)
    adaptive = attack(DefendedClassifier(small_net, make("adaptive")), images, labels)
    assert adaptive.success.mean() > 0.8
    assert naive.success.mean() < 0.3
    flag, clear = check_zero_gradients(naive.zero_gradient), check_zero_gradients(adaptive.zero_gradient)
    assert not flag.passed
    assert "hides its gradient" in flag.message
    assert clear.passed


@pytest.mark.parametrize("gradient", ["naive", "adaptive"])
@pytest.mark.parametrize("name", ["deepfool_l2", "ddn", "fmn_l2", "cw_l2", "pgd_l2", "square", "autoattack"])
def test_no_attack_trips_over_a_zero_gradient(name, gradient, small_net, small_data):
    images, labels = (part[2:5] for part in small_data)
    options = {
        "square": {"queries": 20},
        "autoattack": {"steps": 3, "target_classes": 2, "queries": 20},
        "cw_l2": {"steps": 3, "binary_search_steps": 2},
    }
    spec = AttackSpec(name, options.get(name, {"steps": 3}), norm="l2" if name == "autoattack" else None)
    defended = DefendedClassifier(small_net, JPEG(gradient=gradient))
    result = attack(defended, images, labels, spec, 0.05)
    assert len(result) == 3
    with torch.no_grad():
        assert np.array_equal(defended(result.adversarials).argmax(1).numpy(), result.prediction)


@pytest.mark.parametrize(
    "defense",
    [NoiseVote(sigma=0.05, votes=5, gradient="adaptive"), NoiseVote(sigma=0.05, votes=5)],
    ids=lambda defense: defense.gradient,
)
def test_an_attack_on_a_random_defense_repeats_image_by_image(defense, small_net, small_data):
    images, labels = (part[:6] for part in small_data)
    defended = DefendedClassifier(small_net, defense)
    whole = attack(defended, images, labels)
    one_by_one = [
        run_attack(defended, images[i : i + 1], labels[i : i + 1], PGD, 0.06, seeds=[i]).success[0] for i in range(6)
    ]
    assert whole.success.tolist() == one_by_one
    with torch.no_grad():
        again = defended(whole.adversarials).argmax(1).numpy()
    assert np.array_equal(again, whole.prediction)


def test_eot_finds_no_less_than_one_draw_on_a_resized_classifier(small_data):
    class ChannelMeans(torch.nn.Module):
        def forward(self, images):
            return 20 * images.mean(dim=(2, 3))

    images, _ = small_data
    found = {}
    for gradient in ("naive", "adaptive"):
        defended = DefendedClassifier(ChannelMeans(), ResizeAndPad(draws=4, gradient=gradient)).eval()
        with torch.no_grad():
            labels = defended(images).argmax(1)
        found[gradient] = attack(defended, images, labels, epsilon=0.01).success.mean()
    assert found["adaptive"] >= found["naive"] > 0
