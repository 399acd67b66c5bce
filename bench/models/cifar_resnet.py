"""ResNets for 32 x 32 images, registered with timm: a 3 x 3 stem without pooling (He et al. 2016, section 4.2).

Everything else is timm's own ResNet, so whatever works on timm's (feature maps, parameter groups) works on these.
"""

from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.resnet import BasicBlock, ResNet
from torch import nn

_CIFAR10: dict[str, Any] = {
    "num_classes": 10,
    "input_size": (3, 32, 32),
    "pool_size": (4, 4),
    "crop_pct": 1.0,
    "interpolation": "bilinear",
    "mean": (0.0, 0.0, 0.0),
    "std": (1.0, 1.0, 1.0),  # trained on pixels in [0,1] as they are
    "first_conv": "conv1",
    "classifier": "fc",
}
default_cfgs = generate_default_cfgs({"cifar_resnet10": _CIFAR10, "cifar_resnet18": _CIFAR10})


class CifarResNet(ResNet):
    """A timm ResNet whose stem keeps the 32 x 32 resolution.

    Args:
        channels: channels of the four stages; the stem has as many as the first.
        layers: residual blocks of the four stages.
        in_chans: channels of the image.
        **options: timm's other ``ResNet`` options.
    """

    def __init__(self, channels: tuple[int, ...], layers: tuple[int, ...], in_chans: int = 3, **options: Any) -> None:
        # The deep stem is timm's only one of free width; its convolutions are replaced by a single one.
        stem = {"stem_type": "deep", "stem_width": channels[0] // 2}
        super().__init__(BasicBlock, layers, channels=channels, in_chans=in_chans, **stem, **options)  # type: ignore[arg-type]
        conv = nn.Conv2d(in_chans, channels[0], kernel_size=3, padding=1, bias=False)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        self.set_submodule("conv1", conv)
        self.set_submodule("maxpool", nn.Identity())
        for stage, reduction in zip(self.feature_info, (1, 1, 2, 4, 8), strict=True):
            stage["reduction"] = reduction


@register_model
def cifar_resnet10(pretrained: bool = False, **options: Any) -> CifarResNet:
    """One block a stage, 32 to 256 channels: small enough to be trained on two cores."""
    return _build("cifar_resnet10", (32, 64, 128, 256), (1, 1, 1, 1), pretrained, options)


@register_model
def cifar_resnet18(pretrained: bool = False, **options: Any) -> CifarResNet:
    """Two blocks a stage, 64 to 512 channels: the field's usual small CIFAR network."""
    return _build("cifar_resnet18", (64, 128, 256, 512), (2, 2, 2, 2), pretrained, options)


def _build(
    name: str, channels: tuple[int, ...], layers: tuple[int, ...], pretrained: bool, options: dict[str, Any]
) -> CifarResNet:
    network: CifarResNet = build_model_with_cfg(
        CifarResNet, name, pretrained, channels=channels, layers=layers, **options
    )
    return network
