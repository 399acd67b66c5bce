"""CIFAR-size networks: the packaged one answers as AutoAttack's own example network does."""

import importlib.util
from pathlib import Path

import pyautoattack
import pytest
import timm
import torch

from bench.data import DataConfig, load_dataset
from bench.models import ModelConfig, check_model, load_classifier
from bench.models.fast import prepare_fast
from bench.sweep import RuntimeConfig
from bench.sweep.images import open_images

EXAMPLES = Path(pyautoattack.__file__).parent / "examples"


def reference_network() -> torch.nn.Module:
    spec = importlib.util.spec_from_file_location("autoattack_resnet", EXAMPLES / "resnet.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.ResNet18()
    network.load_state_dict(torch.load(EXAMPLES / "model_test.pt", weights_only=True, map_location="cpu"))
    return network.eval()


@pytest.fixture(scope="module")
def classifier():
    return load_classifier(ModelConfig(name="cifar10_resnet18"))


def test_the_packaged_network_is_autoattacks_example(classifier):
    images = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(classifier(images), reference_network()(images), rtol=0, atol=1e-5)
    assert classifier.input_size == (32, 32)
    assert classifier.crop.key == "32x32-center-1-bilinear"


def test_its_fast_copy_agrees(classifier):
    images = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(prepare_fast(classifier)(images), classifier(images), rtol=0, atol=1e-4)


def test_its_cost_is_the_published_one(classifier):
    # 11.17 M parameters and 0.56 GMACs: what the field quotes for the CIFAR ResNet-18.
    assert classifier.cost() == {"parameters": 11_173_962, "gmacs": pytest.approx(0.556, abs=0.001)}


@pytest.mark.parametrize("name", ["cifar_resnet10", "cifar_resnet18"])
def test_timm_knows_the_architectures(name):
    check_model(ModelConfig(name=name, weights="random", num_classes=7))
    network = timm.create_model(name, num_classes=7, features_only=False)
    stages = network.forward_intermediates(torch.rand(1, 3, 32, 32), intermediates_only=True)
    assert [stage.shape[-1] for stage in stages] == [32, 32, 16, 8, 4]
    assert [info["reduction"] for info in network.feature_info] == [1, 1, 2, 4, 8]


@pytest.mark.shared_data
def test_accuracy_on_real_test_images(classifier, shared_data, tmp_path):
    data = DataConfig(source="cifar10", root=str(shared_data / "cifar10"), split="test", label_space="cifar10")
    crops = open_images(
        data, classifier.crop, RuntimeConfig(cache_dir=str(tmp_path), workers=0), classifier.label_space
    )
    images = crops.read(range(len(crops.image_ids))).float() / 255
    labels = torch.from_numpy(load_dataset(data, classifier.label_space).labels)
    with torch.no_grad():
        correct = torch.cat([classifier(part).argmax(1) for part in images.split(100)]) == labels
    assert 0.82 < correct.float().mean() < 0.86, "83.5 % is quoted for JPEG copies of the test images"
