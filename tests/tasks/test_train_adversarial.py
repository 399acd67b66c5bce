"""``task=train_adversarial`` from the command line's config: what it writes, says and refuses."""

import json
import logging

import hydra
import numpy as np
import pytest
import torch
from PIL import Image
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import nn

from bench.cli.checks import preflight
from bench.cli.schemas import register_schemas
from bench.conf_files import CONF
from bench.errors import ConfigurationError, DataError
from bench.models import load_classifier
from bench.tasks import evaluate, train_adversarial
from bench.tasks.support.config import read_recipe, read_settings
from bench.training import attack_radius

CONFIG = {"num_classes": 1000, "input_size": (3, 8, 8), "crop_pct": 1.0, "mean": (0.5,) * 3, "std": (0.5,) * 3}
default_cfgs = generate_default_cfgs(
    {"harden_test_net": {**CONFIG, "interpolation": "bilinear", "first_conv": "conv", "classifier": "fc"}}
)


class HardenTestNet(nn.Module):
    """The least that timm takes for a network."""

    def __init__(self, num_classes=1000, in_chans=3, **_):
        super().__init__()
        self.num_classes = num_classes
        self.conv = nn.Conv2d(in_chans, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, num_classes)

    def reset_classifier(self, num_classes):
        self.fc = nn.Linear(4, num_classes)

    def forward(self, images):
        return self.fc(torch.relu(self.norm(self.conv(images))).mean(dim=(2, 3)))


@register_model
def harden_test_net(pretrained=False, **options):
    """Registered with timm, so that ``model.name`` finds it."""
    return build_model_with_cfg(HardenTestNet, "harden_test_net", pretrained, **options)


@pytest.fixture
def folder(tmp_path):
    """Two classes of twelve images: dark and bright."""
    rng = np.random.default_rng(0)
    for label, level in enumerate((60, 180)):
        (tmp_path / "images" / str(label)).mkdir(parents=True)
        for i in range(12):
            pixels = (level + rng.integers(-50, 50, (8, 8, 3))).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / str(label) / f"{i}.png")
    return tmp_path


def compose(*overrides, task="train_adversarial"):
    register_schemas()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("config", overrides=[f"task={task}", *overrides])


def overrides(folder, *more):
    return [
        "model.name=harden_test_net",
        "model.weights=random",
        "model.num_classes=2",
        "data=folder",
        f"data.root={folder}/images",
        f"runtime.cache_dir={folder}/cache",
        "runtime.workers=0",
        f"out={folder}/toy",
        "recipe.epochs=2",
        "recipe.batch_size=8",
        "recipe.holdout=8",
        *more,
    ]


@pytest.mark.parametrize("recipe", ["plain", "fast_fgsm", "pgd"])
def test_the_result_is_a_checkpoint_that_the_printed_command_evaluates(folder, recipe, caplog):
    config = compose(*overrides(folder, f"recipe={recipe}"))
    with caplog.at_level(logging.INFO):
        train_adversarial.check(config)
        train_adversarial.run(config)
    lines = [json.loads(line) for line in (folder / "toy" / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert all((line["holdout_pgd"] is None) == (recipe == "plain") for line in lines)
    shown = [message for message in caplog.messages if message.startswith("epoch ")]
    assert len(shown) == 2
    assert ("adversarial train accuracy" in shown[0]) == (recipe != "plain")

    (said,) = [message for message in caplog.messages if message.startswith("evaluate it with")]
    printed = said.partition("snowwolf ")[2].split()
    assert printed == [
        "model.name=harden_test_net",
        f"model.checkpoint={folder}/toy/toy.safetensors",
        "model.num_classes=2",
    ]
    evaluation = compose(
        *printed, "data=folder", f"data.root={folder}/images", "~benchmarks.cue_conflict", task="evaluate"
    )
    evaluate.check(evaluation)
    classifier = load_classifier(read_settings(evaluation).model)
    assert classifier.name == "harden_test_net+toy"
    state = torch.load(folder / "toy" / "state.pt", weights_only=True)
    best = state["best_epoch"]
    if best == 2:
        assert all(
            torch.equal(value, state["network"][name]) for name, value in classifier.network.state_dict().items()
        )


def test_the_same_command_goes_on_and_then_has_nothing_left_to_do(folder, caplog):
    config = compose(*overrides(folder))
    train_adversarial.run(config)
    weights = folder / "toy" / "toy.safetensors"
    before = weights.stat().st_mtime_ns
    with caplog.at_level(logging.INFO):
        train_adversarial.run(config)
    assert weights.stat().st_mtime_ns == before
    assert f"{folder}/toy holds 2 of 2 epochs" in caplog.messages
    with pytest.raises(ConfigurationError, match=r"holds another training: recipe\.epochs was 2 and is now 3"):
        train_adversarial.run(compose(*overrides(folder, "recipe.epochs=3")))


def test_a_new_head_keeps_the_weights_below_it(folder):
    config = compose(*overrides(folder, "recipe.new_head=2", "recipe.epochs=1", "model.num_classes=5"))
    train_adversarial.run(config)
    state = torch.load(folder / "toy" / "state.pt", weights_only=True)
    assert state["network"]["fc.weight"].shape == (2, 4)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["out=null"], "task=train_adversarial needs out=FOLDER"),
        (["data.root=/no/such/place"], "no folder at /no/such/place"),
        (["model.name=harden_tst_net"], "unknown model 'harden_tst_net': did you mean 'harden_test_net'"),
        (["model.weights=pretrained"], "no published weights for 'harden_test_net'"),
        (["model.precision=float16"], "float32 or bfloat16"),
        (["data.label_space=imagenet_a"], "training decides among all"),
        (["recipe=fast_fgms"], "unknown recipe 'fast_fgms': did you mean 'fast_fgsm'"),
        (["recipe.epoch=3"], r"unknown key 'recipe\.epoch'"),
        (["recipe.epochs=many"], r"recipe\.epochs"),
        (["recipe.epochs=0"], r"recipe\.epochs is at least 1, not 0"),
        (["recipe.batch_size=1"], r"recipe\.batch_size is at least 2"),
        (["recipe.epsilon=big"], "epsilon 'big' is not a number or a fraction"),
        (["recipe.epsilon=0"], "recipe=plain trains without an attack"),
        (["recipe.learning_rate=0"], r"recipe\.learning_rate is above 0"),
        (["recipe.learning_rate=nan"], r"recipe\.learning_rate is above 0"),
        (["recipe.momentum=1"], r"recipe\.momentum is in \[0,1\)"),
        (["recipe.crop_shift=4"], r"recipe\.crop_shift is a share of the side"),
        (["recipe.new_head=1"], r"recipe\.new_head is at least 2"),
        (["recipe.holdout=0"], r"recipe\.holdout is at least 1"),
    ],
)
def test_mistakes_are_refused_before_any_work(folder, more, message):
    register_schemas()
    with pytest.raises(ConfigurationError, match=message) as caught:
        preflight(["task=train_adversarial", *overrides(folder, *more)])
    assert "\n" not in str(caught.value)
    assert not (folder / "toy").exists()


def test_too_few_logits_are_refused_before_any_work(folder):
    (folder / "images" / "1").rename(folder / "images" / "7")
    register_schemas()
    with pytest.raises(ConfigurationError, match=r"from 0 to 7, and the classifier has 2 .*model\.num_classes=8"):
        preflight(["task=train_adversarial", *overrides(folder)])
    with pytest.raises(ConfigurationError, match=r"the number 7, but the numbers of 2 classes .* go from 0 to 1"):
        preflight(["task=train_adversarial", *overrides(folder, "data.label_space=columns")])


def test_images_that_do_not_decode_are_refused(folder):
    (folder / "images" / "1" / "3.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"1/3\.png"):
        train_adversarial.run(compose(*overrides(folder)))


def test_the_recipes_are_those_of_the_papers():
    fast, pgd, plain = (read_recipe(compose(f"recipe={name}")) for name in ("fast_fgsm", "pgd", "plain"))
    assert (fast.steps, fast.step_size, attack_radius(fast)) == (1, 1.25, 8 / 255)  # Wong et al. 2020: alpha = 10/255
    assert (pgd.steps, pgd.step_size * attack_radius(pgd)) == (7, pytest.approx(2 / 255))  # Madry et al. 2018, CIFAR-10
    assert plain.steps == 0
