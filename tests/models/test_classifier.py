"""Classifiers: normalisation inside, identity over weights, costs as published, checkpoints without code in them."""

import pickle
from pathlib import Path
from types import SimpleNamespace

import pytest
import timm
import torch
from safetensors.torch import save_file

from bench.data.crop import CropRecipe
from bench.data.label_spaces import unnamed_classes
from bench.errors import ConfigurationError
from bench.models import Classifier, LabelSubset, ModelConfig, check_model, load_classifier
from bench.models.classifier import state_digest

CROP = CropRecipe(height=8, width=8, crop_pct=1.0, crop_mode="center", interpolation="bicubic")


def test_normalisation_happens_inside_and_once():
    flatten = torch.nn.Flatten()
    classifier = Classifier(
        "flat", flatten, mean=[0.5, 0.25, 0.0], std=[0.5, 0.25, 2.0], crop=CROP, label_space=unnamed_classes(12)
    )
    image = torch.tensor([1.0, 0.5, 1.0]).view(1, 3, 1, 1)
    assert classifier(image).tolist() == [[1.0, 1.0, 0.5]]


def test_lite0_is_timms_own_network_on_normalised_pixels():
    classifier = load_classifier(ModelConfig(name="lite0"))
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    mean = std = torch.tensor([0.5, 0.5, 0.5]).view(1, 3, 1, 1)
    with torch.inference_mode():
        assert torch.equal(classifier(images), classifier.network((images - mean) / std))
    assert classifier.crop.key == "224x224-center-0.875-bicubic"
    assert not any(parameter.requires_grad for parameter in classifier.parameters())
    assert not classifier.training


@pytest.mark.parametrize(
    ("name", "parameters", "gmacs"),
    # timm's results tables: parameters in millions and GMACs at the model's input size
    [("tf_efficientnet_lite0", 4.65e6, 0.40), ("resnet50", 25.56e6, 4.11), ("vit_tiny_patch16_224", 5.72e6, 1.26)],
)
def test_costs_are_the_published_ones(name, parameters, gmacs):
    cost = load_classifier(ModelConfig(name=name, weights="random")).cost()
    assert cost["parameters"] == pytest.approx(parameters, rel=0.01)
    assert cost["gmacs"] == pytest.approx(gmacs, rel=0.05)


def test_the_digest_sees_every_tensor_and_nothing_else():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    before = state_digest(network)
    assert state_digest(network.to(memory_format=torch.channels_last)) == before
    network[1].running_mean[2] += 1e-7
    assert state_digest(network) != before


def test_the_digest_sees_normalisation_and_what_the_network_was_made_with():
    network = torch.nn.Flatten()
    usual = {"mean": (0,) * 3, "std": (1,) * 3, "crop": CROP, "label_space": unnamed_classes(12)}
    changes = [{}, {"mean": (0.5,) * 3}, {"std": (0.5,) * 3}, {"made_with": "options"}]
    digests = [Classifier("flat", network, **{**usual, **change}).weights_digest for change in changes]
    assert len(set(digests)) == len(changes)
    assert Classifier("flat", network, **usual).weights_digest == digests[0]


def test_a_network_that_answers_an_object_with_logits_is_read_and_others_are_refused():
    class Answers(torch.nn.Module):
        def __init__(self, answer):
            super().__init__()
            self.answer = answer

        def forward(self, images):
            return self.answer(images.flatten(1))

    usual = {"mean": (0,) * 3, "std": (1,) * 3, "crop": CROP, "label_space": unnamed_classes(3)}
    white = torch.ones(1, 3, 1, 1)
    for answer in (lambda logits: {"logits": logits, "loss": None}, lambda logits: SimpleNamespace(logits=logits)):
        assert Classifier("dict", Answers(answer), **usual)(white).tolist() == [[1, 1, 1]]
    with pytest.raises(
        ConfigurationError, match=r"dict returns a dict of out, aux, not logits of shape \(B, classes\)"
    ):
        Classifier("dict", Answers(lambda logits: {"out": logits, "aux": logits}), **usual)(white)


def test_random_weights_are_the_same_every_time():
    config = ModelConfig(name="resnet18", weights="random")
    assert load_classifier(config).weights_digest == load_classifier(config).weights_digest


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_local_checkpoint_is_loaded(tmp_path, suffix):
    network = timm.create_model("resnet18", num_classes=7)
    path = tmp_path / f"mine{suffix}"
    if suffix == ".pth":
        torch.save(network.state_dict(), path)
    else:
        save_file(network.state_dict(), path)
    classifier = load_classifier(ModelConfig(name="resnet18", checkpoint=str(path), num_classes=7))
    assert state_digest(classifier.network) == state_digest(network)
    assert classifier.name == "resnet18+mine"


def test_a_packaged_model_takes_a_checkpoint_of_its_own(tmp_path):
    network = timm.create_model("tf_efficientnet_lite0", num_classes=3)
    save_file(network.state_dict(), tmp_path / "mine.safetensors")
    config = ModelConfig(name="lite0", checkpoint=str(tmp_path / "mine.safetensors"), num_classes=3)
    assert state_digest(load_classifier(config).network) == state_digest(network)


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path("/tmp/snowwolf-was-here"),))


def test_a_checkpoint_with_code_in_it_is_refused(tmp_path):
    path = tmp_path / "bomb.pth"
    path.write_bytes(pickle.dumps({"state_dict": Bomb()}, protocol=2))
    with pytest.raises(ConfigurationError, match=r"bomb\.pth .*holds more than tensors .*; nothing in it was run"):
        load_classifier(ModelConfig(name="resnet18", checkpoint=str(path)))
    torch.save({"weight": Bomb()}, path)
    with pytest.raises(ConfigurationError, match=r"bomb\.pth"):
        load_classifier(ModelConfig(name="resnet18", checkpoint=str(path)))
    assert not Path("/tmp/snowwolf-was-here").exists()


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(ConfigurationError, match=r"does not fit ResNet .*: Missing key\(s\) in state_dict: .* \.\.\.$"):
        load_classifier(ModelConfig(name="resnet18", checkpoint=str(path)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "resnet5o"}, r"unknown model 'resnet5o': did you mean 'resnet50'"),
        ({"name": "lite9"}, r"unknown model 'lite9': did you mean 'lite\d'"),
        ({"name": "resnet50.a1_in1"}, r"unknown weights 'resnet50.a1_in1': did you mean 'resnet50.a1_in1k'"),
        ({"precision": "float12"}, "unknown precision"),
        ({"weights": "good"}, "pretrained"),
        ({"checkpoint": "/no/such/file.pth"}, "no checkpoint at /no/such/file.pth"),
    ],
)
def test_what_cannot_exist_is_refused_by_name(changes, message):
    with pytest.raises(ConfigurationError, match=message):
        check_model(ModelConfig(**{"name": "resnet50", **changes}))


def test_a_label_subset_keeps_the_chosen_columns_in_order():
    subset = LabelSubset(torch.nn.Flatten(), [2, 0])
    assert subset(torch.tensor([5.0, 6.0, 7.0]).view(1, 3, 1, 1)).tolist() == [[7.0, 5.0]]


@pytest.mark.parametrize(("precision", "bits"), [("bfloat16", 7), ("float16", 10)])
def test_low_precision_rounds_as_its_format_does_and_answers_in_float32(precision, bits):
    """A weight of 1 + 2^-bits is the next number after 1 in the format; a quarter of that step is rounded away."""
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3, 2, bias=False))
    network[1].weight.data = torch.tensor([[1 + 2.0**-bits, 0, 0], [1 + 2.0 ** -(bits + 2), 0, 0]])
    options = {"mean": (0,) * 3, "std": (1,) * 3, "crop": CROP, "label_space": unnamed_classes(2)}
    white = torch.ones(1, 3, 1, 1)
    logits = Classifier("low", network, precision=precision, **options)(white)
    assert logits.dtype == torch.float32
    assert logits.tolist() == [[1 + 2.0**-bits, 1.0]]
    assert Classifier("full", network, **options)(white).tolist() == [[1 + 2.0**-bits, 1 + 2.0 ** -(bits + 2)]]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_network_in_low_precision_answers_as_in_full(precision):
    full = load_classifier(ModelConfig(name="resnet18", weights="random"))
    low = load_classifier(ModelConfig(name="resnet18", weights="random", precision=precision))
    assert low.weights_digest == full.weights_digest
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    expected, logits = full(images), low(images)
    error = float((logits - expected).norm() / expected.norm())
    assert 0 < error < 8 * torch.finfo(getattr(torch, precision)).eps, "rounded, and by no more than rounding"
