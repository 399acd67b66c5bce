"""Attacks on the real classifiers and images that pip packages carry."""

import foolbox as fb
import pytest
import torch

from bench.attacks import AttackSpec, run_attack, run_attack_grid
from bench.models.fast import prepare_fast

EPSILON = 4 / 255


@pytest.fixture(scope="module")
def correct(lite0, imagenet_samples):
    """Eight samples lite0 gets right, and the prepared classifier."""
    images, labels = imagenet_samples
    with torch.no_grad():
        right = lite0(images).argmax(1) == labels
    assert right.float().mean() >= 0.8
    return images[right][:8], labels[right][:8], prepare_fast(lite0)


def test_fgsm_is_foolbox_bit_for_bit(lite0, correct):
    images, labels, fast = correct
    images = images.contiguous()  # as attacks lay them out: convolutions round otherwise in another layout
    plain = run_attack(lite0, images, labels, AttackSpec("fgsm", active_set=False), EPSILON, seeds=range(8))
    _, expected, success = fb.attacks.FGSM()(fb.PyTorchModel(lite0, bounds=(0, 1)), images, labels, epsilons=EPSILON)
    assert torch.equal(plain.adversarials, expected.clamp(0, 1))
    assert (plain.success == success.numpy()).all()
    quick = run_attack(fast, images, labels, AttackSpec("fgsm"), EPSILON, seeds=range(8))
    assert (quick.success == plain.success).all()
    assert (quick.prediction == plain.prediction).all()


def test_pgd_with_the_fast_paths_agrees_image_by_image(lite0, correct):
    images, labels, fast = correct
    spec = AttackSpec("pgd_linf", {"steps": 10, "abs_stepsize": 1 / 255})
    plain = run_attack(lite0, images[:4], labels[:4], spec, EPSILON, seeds=range(4))
    quick = run_attack(fast, images[:4], labels[:4], spec, EPSILON, seeds=range(4))
    assert plain.success.all()
    assert quick.success.all()
    assert (plain.queries == quick.queries).all()
    assert (plain.prediction == quick.prediction).all()


def test_stronger_attacks_break_more(correct):
    images, labels, fast = correct
    grid = run_attack_grid(fast, images, labels, AttackSpec("fgsm"), [0.0, 0.5 / 255, EPSILON], seeds=range(8))
    robust = [1 - result.success.mean() for result in grid]
    assert robust[0] == 1
    assert robust[0] >= robust[1] >= robust[2]
    pgd = run_attack(
        fast, images, labels, AttackSpec("pgd_linf", {"steps": 5, "abs_stepsize": 1 / 255}), EPSILON, seeds=range(8)
    )
    assert 1 - pgd.success.mean() <= robust[2]
    noise = run_attack(fast, images, labels, AttackSpec("noise_linf"), EPSILON, seeds=range(8))
    assert noise.success.mean() < pgd.success.mean()


def test_cifar_cascade_of_figures(cifar_resnet, cifar_samples):
    """AutoAttack <= PGD <= FGSM <= clean, at a radius where none is trivial."""
    images, labels, radius = cifar_samples[0][:6], cifar_samples[1][:6], 0.75 / 255
    attacks = {
        "clean": (AttackSpec("fgsm"), 0.0),
        "fgsm": (AttackSpec("fgsm"), radius),
        "pgd": (AttackSpec("pgd_linf", {"steps": 6}), radius),
        "autoattack": (AttackSpec("autoattack", {"steps": 4, "target_classes": 1, "queries": 3}), radius),
    }
    found = {name: run_attack(cifar_resnet, images, labels, *attacks[name], seeds=range(6)) for name in attacks}
    assert (found["clean"].prediction == found["clean"].clean_prediction).all()
    assert {"apgd-ce", ""} <= set(found["autoattack"].stage), "some images broke, some went through all stages"
    robust = {name: int((result.prediction == labels.numpy()).sum()) for name, result in found.items()}
    assert 6 == robust["clean"] > robust["fgsm"] >= robust["pgd"] >= robust["autoattack"] > 0


def test_nothing_of_a_normally_trained_network_withstands_pgd(cifar_resnet, cifar_samples):
    images, labels = cifar_samples[0][:10], cifar_samples[1][:10]
    spec = AttackSpec("pgd_linf", {"steps": 10, "abs_stepsize": 2 / 255})
    broken = run_attack(cifar_resnet, images, labels, spec, 8 / 255, seeds=range(10))
    assert not (broken.prediction == labels.numpy()).any(), "0 % robust at 8/255"


def test_one_pixel_on_cifar(cifar_resnet, cifar_samples):
    images, labels = cifar_samples[0][:6], cifar_samples[1][:6]
    spec = AttackSpec("one_pixel", {"population": 10, "generations": 2})
    result = run_attack(cifar_resnet, images, labels, spec, 3, seeds=range(6))
    assert set(result.stage) == {"one_pixel", ""}, "none was wrong to begin with, some were broken, some were not"
    assert (result.distance <= 3).all()
    assert (result.queries[~result.success] == 31).all()  # 10 x (1 + 2), and the last look at the fittest
    assert (result.queries[result.success] <= 30).all()
