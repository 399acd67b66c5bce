"""FGSM is one formula: four implementations of it, bit for bit on a real classifier and real images."""

import os

import foolbox as fb
import numpy as np
import pytest
import torch

from bench.attacks import AttackSpec, run_attack
from bench.data import DataConfig
from bench.models import ModelConfig, load_classifier
from bench.models.fast import prepare_fast
from bench.sweep import RuntimeConfig
from bench.sweep.images import open_images

EPSILON = 4 / 255
N = int(os.environ.get("FGSM_IMAGES", "20"))
"""A hundred take minutes: ``FGSM_IMAGES=100 pytest tests/attacks/test_fgsm_everywhere.py``."""
BATCH = 4  # a power of two: libraries that average the loss over a batch then scale its gradient exactly

pytestmark = pytest.mark.shared_data


@pytest.fixture(scope="module")
def classifier():
    return load_classifier(ModelConfig(name="lite0"))


@pytest.fixture(scope="module")
def batches(classifier, shared_data, tmp_path_factory):
    """``N`` correctly classified images, in batches."""
    data = DataConfig(source="folder", root=str(shared_data / "imagenet_samples"), limit=N + 30)
    cache = str(tmp_path_factory.mktemp("cache"))
    crops = open_images(data, classifier.crop, RuntimeConfig(cache_dir=cache, workers=0), classifier.label_space)
    images, labels = crops.read(range(len(crops))).float() / 255, torch.as_tensor(crops.labels)
    with torch.no_grad():
        right = torch.cat([classifier(part) for part in images.split(BATCH)]).argmax(1) == labels
    assert right.sum() >= N
    return list(zip(images[right][:N].split(BATCH), labels[right][:N].split(BATCH), strict=True))


@pytest.fixture(scope="module")
def ours(classifier, batches):
    """The fast paths off."""
    spec = AttackSpec("fgsm", active_set=False)
    return [run_attack(classifier, x, y, spec, EPSILON, seeds=range(len(x))) for x, y in batches]


def plain_loop(classifier, images, labels):
    images = images.clone().requires_grad_()
    loss = torch.nn.functional.cross_entropy(classifier(images), labels, reduction="sum")
    return (images + EPSILON * torch.autograd.grad(loss, images)[0].sign()).clamp(0, 1).detach()


def same(results, adversarials):
    return all(torch.equal(result.adversarials, other) for result, other in zip(results, adversarials, strict=True))


def test_foolbox(classifier, batches, ours):
    model, attack = fb.PyTorchModel(classifier, bounds=(0, 1)), fb.attacks.FGSM()
    assert same(ours, [attack(model, x, y, epsilons=EPSILON)[1] for x, y in batches])


def test_a_plain_loop(classifier, batches, ours):
    assert same(ours, [plain_loop(classifier, x, y) for x, y in batches])


def test_torchattacks(classifier, batches, ours):
    torchattacks = pytest.importorskip("torchattacks")
    attack = torchattacks.FGSM(classifier, eps=EPSILON)
    assert same(ours, [attack(x, y).detach() for x, y in batches])


def test_art(classifier, batches, ours):
    evasion = pytest.importorskip("art.attacks.evasion")
    classification = pytest.importorskip("art.estimators.classification")
    estimator = classification.PyTorchClassifier(
        classifier, torch.nn.CrossEntropyLoss(), (3, 224, 224), 1000, clip_values=(0.0, 1.0), device_type="cpu"
    )
    attack = evasion.FastGradientMethod(estimator, eps=EPSILON, batch_size=BATCH)
    made = [torch.tensor(attack.generate(x.numpy(), np.eye(1000)[y.numpy()])) for x, y in batches]
    assert same(ours, made)


def test_the_fast_paths_change_no_outcome(classifier, batches, ours):
    fast = prepare_fast(classifier)
    for (images, labels), plain in zip(batches, ours, strict=True):
        quick = run_attack(fast, images, labels, AttackSpec("fgsm"), EPSILON, seeds=range(len(images)))
        assert np.array_equal(quick.success, plain.success)
        assert np.array_equal(quick.prediction, plain.prediction)
