"""Checkpoints as training scripts save them: the weights in them, whatever is around them; nothing in them is run."""

import argparse
import warnings
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file

from bench.errors import ConfigurationError
from bench.models import ModelConfig, check_model, load_classifier
from bench.models.checkpoints import read_checkpoint, without_prefixes

ARCHITECTURE = "resnet10t"


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return timm.create_model(ARCHITECTURE, num_classes=3).eval()


def prefixed(prefix, state):
    return OrderedDict((f"{prefix}{name}", value) for name, value in state.items())


def zeros(state):
    return {name: torch.zeros_like(value) for name, value in state.items()}


LAYOUTS = {
    "plain.pth": lambda state: state,
    "best.pth.tar": lambda state: {"epoch": 90, "arch": "x", "best_acc1": torch.tensor(1.0), "state_dict": state},
    "ddp.pth": lambda state: {"model": prefixed("module.", state), "optimizer": {"lr": 0.1}},
    "tutorial.pt": lambda state: {"epoch": 1, "model_state_dict": state, "optimizer_state_dict": {}, "loss": 0.5},
    "compiled.pt": lambda state: {"state_dict": prefixed("module._orig_mod.", state)},
    "lightning.ckpt": lambda state: {
        "pytorch-lightning_version": "2.4.0",
        "state_dict": {**prefixed("model.", state), "criterion.weight": torch.ones(3)},
        "hyper_parameters": {"lr": 0.1},
        "loops": {},
    },
    "net.ckpt": lambda state: {"state_dict": prefixed("net.", state)},
    "timm.pth.tar": lambda state: {
        "arch": "x",
        "args": argparse.Namespace(lr=0.1),
        "state_dict": zeros(state),
        "state_dict_ema": state,
        "metric": np.float64(1),
    },
    "reference.pth": lambda state: {
        "model": zeros(state),
        "model_ema": {"n_averaged": torch.tensor(5), **prefixed("module.", state)},
        "epoch": 3,
    },
    "decay.pt": lambda state: {"model": state, "ema": {"decay": 0.999}},
}


@pytest.mark.parametrize("file", LAYOUTS)
def test_the_weights_are_those_that_were_saved(tmp_path, network, file):
    path = tmp_path / file
    torch.save(LAYOUTS[file](network.state_dict()), path)
    config = ModelConfig(name=ARCHITECTURE, checkpoint=str(path), num_classes=3)
    assert check_model(config).label_space.n_classes == 3
    loaded = load_classifier(config)
    assert loaded.name == f"{ARCHITECTURE}+{file.partition('.')[0]}"
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], value), name


def test_prefixes_that_are_the_networks_own_stay():
    state = {"model.conv.weight": torch.ones(1), "model.head.weight": torch.ones(2)}
    assert without_prefixes(state, frozenset(state)) == state
    assert without_prefixes(prefixed("model.", state), frozenset(state)) == state


def test_safetensors_with_a_wrappers_prefix(tmp_path, network):
    save_file(prefixed("module.", network.state_dict()), tmp_path / "a.safetensors")
    config = ModelConfig(name=ARCHITECTURE, checkpoint=str(tmp_path / "a.safetensors"), num_classes=3)
    assert torch.equal(load_classifier(config).network.fc.weight, network.fc.weight)


class Callback:
    """Of a training script: an object that is no tensor."""


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path("/tmp/snowwolf-checkpoint-was-run"),))


def refusal(path, name=ARCHITECTURE):
    with pytest.raises(ConfigurationError) as caught:
        check_model(ModelConfig(name=name, checkpoint=str(path)))
    text = str(caught.value)
    assert "\n" not in text
    assert "weights_only" not in text, "torch's advice to load the file unsafely is not repeated"
    return text


def test_objects_in_a_checkpoint_are_named_and_not_made(tmp_path, network):
    torch.save({"state_dict": network.state_dict(), "callbacks": Callback()}, tmp_path / "a.ckpt")
    assert "holds more than tensors (an object of" in refusal(tmp_path / "a.ckpt")
    assert "Callback" in refusal(tmp_path / "a.ckpt")
    torch.save({"state_dict": network.state_dict(), "x": Bomb()}, tmp_path / "b.ckpt")
    assert "nothing in it was run" in refusal(tmp_path / "b.ckpt")
    assert not Path("/tmp/snowwolf-checkpoint-was-run").exists()


def test_programs_are_sent_to_where_they_can_be_loaded(tmp_path):
    little = torch.nn.Linear(2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated; people have its files
        torch.jit.script(little).save(tmp_path / "scripted.pt")
    assert "is a TorchScript program, not weights" in refusal(tmp_path / "scripted.pt")
    torch.export.save(torch.export.export(little, (torch.ones(1, 2),)), tmp_path / "program.pt2")
    (tmp_path / "program.pt2").rename(tmp_path / "program.pt")
    assert "is an exported program: give model.name=export:" in refusal(tmp_path / "program.pt")


def test_a_file_without_weights_says_what_it_holds(tmp_path):
    torch.save({"epoch": 3, "scores": {"top1": 0.5}}, tmp_path / "log.pt")
    with pytest.raises(ConfigurationError, match=r"holds no state dict \(epoch, scores\)"):
        read_checkpoint(tmp_path / "log.pt")
    (tmp_path / "text.pth").write_text("hello")
    assert "text.pth is damaged, or holds more than tensors" in refusal(tmp_path / "text.pth")


@pytest.mark.parametrize(
    ("theirs", "ours"), [("mobilenet_v2", "mobilenetv2_100"), ("swin_t", "swin_tiny_patch4_window7_224")]
)
def test_torchvisions_weights_under_timms_names_are_sent_to_torchvision(tmp_path, theirs, ours):
    with torch.device("meta"):
        shapes = torchvision.models.get_model(theirs, weights=None).state_dict()
    torch.save(
        {name: torch.zeros(value.shape, dtype=value.dtype) for name, value in shapes.items()},
        tmp_path / f"{theirs}-01ab.pth",
    )
    path = tmp_path / f"{theirs}-01ab.pth"
    assert (
        f"has the names of torchvision's {theirs}, not those of {ours}: give model.name=torchvision:{theirs}"
        in refusal(path, ours)
    )
    assert check_model(ModelConfig(name=f"torchvision:{theirs}", checkpoint=str(path))).label_space.name == "imagenet"
