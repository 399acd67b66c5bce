"""AutoAttack: pyautoattack's own evaluation image by image, exact answers on a linear classifier, stages."""

import pytest
import torch
from conftest import Counting

from bench.attacks import AttackSpec, run_attack
from bench.errors import ConfigurationError

library = pytest.importorskip("pyautoattack")
QUICK = {"steps": 4, "target_classes": 3, "queries": 40}


def reference(model, image, label, epsilon, norm, seed, stages=("apgd-ce", "apgd-t", "fab-t", "square")):
    """pyautoattack's cascade on one image, with its budget cut to ours; the image and the stage that broke it."""
    evaluation = library.AutoAttack(model, norm=norm, eps=epsilon, seed=seed, device="cpu")
    for attack in (evaluation.apgd, evaluation.apgd_targeted):
        attack.__init__(
            model, n_iter=QUICK["steps"], norm=norm, n_restarts=1, eps=epsilon, seed=seed, device="cpu",
            logger=evaluation.logger,
        )  # fmt: skip
    evaluation.fab.n_iter = QUICK["steps"]
    evaluation.apgd_targeted.n_target_classes = evaluation.fab.n_target_classes = QUICK["target_classes"]
    evaluation.square.n_queries = QUICK["queries"]
    for stage in stages:
        evaluation.attacks_to_run = [stage]
        adversarial, prediction = evaluation.run_standard_evaluation(image, label)
        if prediction != label:
            return adversarial, stage
    return adversarial, ""


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.008), ("l2", 0.1)])
def test_the_authors_cascade_image_by_image(small_net, small_data, norm, epsilon):
    images, labels = small_data
    spec = AttackSpec("autoattack", QUICK, norm=norm)
    ours = run_attack(small_net, images, labels, spec, epsilon, seeds=range(24))
    assert ours.stage[:2].tolist() == ["clean", "clean"]
    assert 0 < ours.success[2:].mean() < 1
    assert {"clean", "apgd-ce", "apgd-t", ""} <= set(ours.stage)
    for row in range(2, 24):
        image, label = images[row : row + 1], labels[row : row + 1]
        name = {"linf": "Linf", "l2": "L2"}[norm]
        expected, stage = reference(small_net, image, label, epsilon, name, row)
        assert ours.stage[row] == stage
        alone = run_attack(small_net, image, label, spec, epsilon, seeds=[row])
        assert torch.equal(alone.adversarials, expected)
        assert alone.queries[0] == ours.queries[row]
        # a batch of another size rounds differently, and a sign step or FAB's sorting makes that visible
        torch.testing.assert_close(
            ours.adversarials[row], expected[0], rtol=0, atol=epsilon if norm == "linf" else 1e-3
        )


class FourClasses(torch.nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.weight = torch.nn.Parameter(weight)

    def forward(self, images):
        return (images.flatten(1) - 0.5) @ self.weight


@pytest.mark.parametrize("stages", [["apgd-ce"], ["square", "apgd-ce"]])
def test_chosen_stages_are_the_authors_custom_version(stages, small_net, small_data):
    """pyautoattack's ``version='custom'`` with ``attacks_to_run``, image by image."""
    spec = AttackSpec("autoattack", {**QUICK, "stages": stages})
    for row in range(2, 6):
        image, label = small_data[0][row : row + 1], small_data[1][row : row + 1]
        ours = run_attack(small_net, image, label, spec, 0.008, seeds=[row])
        expected, stage = reference(small_net, image, label, 0.008, "Linf", row, stages)
        assert ours.stage[0] == stage
        assert torch.equal(ours.adversarials, expected)


def test_linear_classifier_exactly():
    """Against class j the best corner of the ball is exact, so robustness is known; no false claim either way."""
    torch.manual_seed(1)
    images = 0.3 + 0.4 * torch.rand(30, 3, 4, 4)
    model = FourClasses(torch.randn(48, 4)).eval()
    labels = model(images).argmax(1)
    epsilon = 0.012
    broken = torch.zeros(30, dtype=torch.bool)
    for other in range(4):
        direction = torch.sign(model.weight[:, other] - model.weight[:, labels].T).detach()
        corner = (images.flatten(1) + epsilon * direction).reshape(images.shape)
        logits = model(corner)
        broken |= logits[:, other] > logits.gather(1, labels[:, None]).squeeze(1)
    spec = AttackSpec("autoattack", {"queries": 50, "steps": 30})
    result = run_attack(model, images, labels, spec, epsilon, seeds=range(30))
    assert 0 < broken.sum() < 30
    assert (result.success == broken.numpy()).all()


def test_queries_are_what_the_classifier_saw(small_net, small_data):
    counting = Counting(small_net).eval()
    images, labels = small_data[0][:8], small_data[1][:8]
    result = run_attack(counting, images, labels, AttackSpec("autoattack", QUICK), 0.0085, seeds=range(8))
    asked_for_the_class_count = 2
    assert abs(counting.images - 8 - result.queries.sum()) <= asked_for_the_class_count


def test_how_images_lie_in_memory_changes_nothing(small_net, small_data):
    """pyautoattack takes views of images and gradients, which other layouts refuse."""
    images, labels = small_data
    spec, other = AttackSpec("autoattack", QUICK), images.contiguous(memory_format=torch.channels_last)
    plain = run_attack(small_net, images[2:8], labels[2:8], spec, 0.008, seeds=range(6))
    assert "" in plain.stage, "every stage had something to do"
    found = run_attack(small_net, other[2:8], labels[2:8], spec, 0.008, seeds=range(6))
    assert torch.equal(found.adversarials, plain.adversarials)
    assert list(found.stage) == list(plain.stage)


def test_weights_stay_free_of_gradients(small_net, small_data):
    small_net.requires_grad_(True).zero_grad()
    run_attack(small_net, small_data[0][:4], small_data[1][:4], AttackSpec("autoattack", QUICK), 0.002, seeds=range(4))
    assert all(parameter.grad is None for parameter in small_net.parameters())
    assert all(parameter.requires_grad for parameter in small_net.parameters())


def test_refusals(small_net, small_data):
    with pytest.raises(ConfigurationError, match="linf or l2"):
        AttackSpec("autoattack", norm="l1")
    targets = (small_data[1] + 1) % 10
    with pytest.raises(ConfigurationError, match="untargeted"):
        run_attack(small_net, *small_data, AttackSpec("autoattack", QUICK), 0.1, seeds=range(24), targets=targets)
    three = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3)).eval()
    images = torch.rand(2, 3, 2, 2)
    with pytest.raises(ConfigurationError, match="at least 4 classes"):
        run_attack(three, images, three(images).argmax(1), AttackSpec("autoattack"), 0.1, seeds=[0, 1])
    without_the_targeted_loss = AttackSpec("autoattack", {"stages": ["apgd-ce"], "steps": 2})
    run_attack(three, images, three(images).argmax(1), without_the_targeted_loss, 0.1, seeds=[0, 1])


def test_cifar_resnet_at_a_small_radius(cifar_resnet, cifar_samples):
    images, labels = cifar_samples[0][:4], cifar_samples[1][:4]
    spec = AttackSpec("autoattack", {"steps": 5, "target_classes": 2, "queries": 3})
    result = run_attack(cifar_resnet, images, labels, spec, 8 / 255, seeds=range(4))
    assert result.success.all(), "a normally trained network has no robustness at 8/255"
    assert set(result.stage) <= {"clean", "apgd-ce"}
