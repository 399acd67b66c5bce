import gc

import pytest
import timm
import torch
import torch.nn.functional as F
from captum.attr import Deconvolution, GuidedBackprop
from torch import nn

from bench.errors import ConfigurationError
from bench.explain import attribute
from bench.explain.gradients import input_gradients
from bench.explain.rectifiers import rectified_gradients


class TwoUnits(nn.Module):
    """Score of class k: ``sum_j V[k,j] act(W[j] . pixels)`` over the first channel of a 1 x 2 image."""

    W = torch.tensor([[1.0, -1.0], [-2.0, 1.0], [1.0, 1.0]])
    V = torch.tensor([[1.0, 3.0, -1.0], [2.0, 1.0, 4.0]])

    def __init__(self, act):
        super().__init__()
        self.act = act

    def forward(self, images):
        return self.act(images[:, 0, 0] @ self.W.T) @ self.V.T


IMAGE = torch.tensor([0.75, 0.25])  # the hidden inputs are 0.5, -1.25 and 1


def by_hand(rule, slope=lambda z: (z > 0).float()):
    """Row k: the rule's result for class k, unit by unit."""
    hidden = TwoUnits.W @ IMAGE
    arriving = TwoUnits.V.clamp(min=0)
    return (arriving * slope(hidden) * (hidden > 0) if rule == "guided" else arriving) @ TwoUnits.W


def run(act, rule, identity_classifier):
    image = IMAGE.view(1, 1, 1, 2).repeat(2, 3, 1, 1)
    gradients = rectified_gradients(identity_classifier(TwoUnits(act)), image, torch.tensor([0, 1]), rule)
    assert not gradients[:, 1:].any()
    return gradients[:, 0, 0]


RELUS = {
    "module": nn.ReLU(),
    "in place": nn.ReLU(inplace=True),
    "functional": F.relu,
    "torch": torch.relu,
    "method": lambda z: z.relu(),
    "clamp": lambda z: z.clamp(min=0),
    "threshold": nn.Threshold(0.0, 0.0),
    "ReLU6": nn.ReLU6(),
    "functional ReLU6": F.relu6,
}


def test_the_hand_worked_values():
    # Class 0 sends (1, 3, -1) back, class 1 (2, 1, 4); units 0 and 2 are on.
    torch.testing.assert_close(by_hand("guided"), torch.tensor([[1.0, -1.0], [6.0, 2.0]]))
    torch.testing.assert_close(by_hand("deconvnet"), torch.tensor([[-5.0, 2.0], [4.0, 3.0]]))


@pytest.mark.parametrize("rule", ["guided", "deconvnet"])
@pytest.mark.parametrize("act", RELUS.values(), ids=RELUS)
def test_every_way_to_write_a_relu(identity_classifier, act, rule):
    torch.testing.assert_close(run(act, rule, identity_classifier), by_hand(rule))


def test_relu6_passes_nothing_above_six(identity_classifier):
    act = lambda z: F.relu6(z * 8)  # noqa: E731  # hidden inputs 4, -10 and 8
    torch.testing.assert_close(run(act, "guided", identity_classifier), torch.tensor([[8.0, -8.0], [16.0, -16.0]]))


SMOOTH = {
    "SiLU": nn.SiLU(),
    "GELU": F.gelu,
    "GELU tanh": nn.GELU(approximate="tanh"),
    "Hardswish": nn.Hardswish(),
    "LeakyReLU": nn.LeakyReLU(0.1),
    "LeakyReLU in place": nn.LeakyReLU(0.1, inplace=True),
    "ELU": nn.ELU(),
    "ELU in place": nn.ELU(inplace=True),
    "SELU": nn.SELU(),
    "CELU": nn.CELU(),
    "Mish": nn.Mish(),
    "Softplus": nn.Softplus(),
    "PReLU": nn.PReLU(),
    "RReLU": nn.RReLU().eval(),
}


@pytest.mark.parametrize("rule", ["guided", "deconvnet"])
@pytest.mark.parametrize("act", SMOOTH.values(), ids=SMOOTH)
def test_the_rule_holds_for_relatives_of_relu(identity_classifier, act, rule):
    def slope(z):
        z = z.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(act(z.clone()).sum(), z)
        return gradient

    torch.testing.assert_close(run(act, rule, identity_classifier), by_hand(rule, slope))


class Calls(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, features):
        return self.function(features)


REFUSED = {
    "no rectifier": (lambda z: z * 2, "no rectifier"),
    "squashing only": (torch.tanh, "no rectifier"),
    "SiLU as a product": (lambda z: z * z.sigmoid(), "written as a product"),
    "QuickGELU": (timm.layers.create_act_layer("quick_gelu"), "written as a product"),
    "GELU as a product": (lambda z: 0.5 * z * (1 + torch.tanh(0.8 * (z + 0.04 * z**3))), "written as a product"),
    "Hardswish as a product": (lambda z: z * F.relu6(z + 3) / 6, "written as a product"),
    "a backward of its own": (timm.layers.create_act_layer("hard_mish"), "HardMish"),
}


@pytest.mark.parametrize("method", ["guided_backprop", "deconvnet", "guided_grad_cam"])
@pytest.mark.parametrize(("act", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_would_be_a_plain_gradient_is_refused(identity_classifier, act, reason, method):
    network = nn.Sequential(nn.Conv2d(3, 2, 1), Calls(act), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    classifier = identity_classifier(network)
    with pytest.raises(ConfigurationError, match=reason):
        attribute(classifier, torch.rand(1, 3, 4, 4), torch.tensor([0]), method)


def test_a_gate_over_other_features_is_not_mistaken_for_an_activation(make_classifier, images):
    squeeze_excite = make_classifier("mobilenetv3_small_050")
    assert rectified_gradients(squeeze_excite, images(1), torch.tensor([0]), "guided").any()


@pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU activations:UserWarning")  # captum says what it does
@pytest.mark.parametrize(("rule", "reference"), [("guided", GuidedBackprop), ("deconvnet", Deconvolution)])
def test_captum_agrees_where_its_hooks_see_every_rectifier(make_classifier, images, rule, reference):
    torch.manual_seed(1)
    layers = [nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten()]
    classifier = make_classifier(nn.Sequential(*layers, nn.Linear(8 * 5 * 5, 4)), 16)
    pictures, targets = images(3, 16), torch.tensor([0, 1, 3])
    expected = reference(classifier).attribute(pictures.clone().requires_grad_(), target=targets)
    torch.testing.assert_close(rectified_gradients(classifier, pictures, targets, rule), expected)


@pytest.mark.parametrize("architecture", ["test_efficientnet", "test_vit", "test_convnext", "mobilenetv3_small_050"])
def test_no_rule_gives_the_plain_gradient_of_a_timm_network(make_classifier, images, architecture):
    classifier = make_classifier(architecture, 64)
    for name, parameter in classifier.named_parameters():
        if name.endswith("gamma"):  # ConvNeXt's blocks start at 1e-6, and what they do would not be seen
            parameter.data.fill_(1)
    side = 160 if architecture == "test_vit" else 64
    pictures, targets = images(2, side), torch.tensor([0, 1])
    plain = input_gradients(classifier, pictures, targets)
    for rule in ("guided", "deconvnet"):
        assert (rectified_gradients(classifier, pictures, targets, rule) - plain).norm() > 0.1 * plain.norm()
    torch.testing.assert_close(input_gradients(classifier, pictures, targets), plain)  # no rule is left behind


def test_the_graph_is_gone_after_the_call(make_classifier, images):
    classifier = make_classifier("test_resnet")
    count = lambda: sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())  # noqa: E731
    rectified_gradients(classifier, images(1), torch.tensor([0]), "guided")
    gc.collect()
    gc.disable()
    try:
        before = count()
        for _ in range(3):
            rectified_gradients(classifier, images(1), torch.tensor([0]), "guided")
        assert count() == before  # without the collector's help
    finally:
        gc.enable()
