"""The names of the corruptions, their families, severities and definitions."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from bench.errors import ConfigurationError, nearest_names
from bench.records import Condition

if TYPE_CHECKING:  # names are listed without the seconds that torch takes
    from torch import Tensor

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "noise": ("gaussian_noise", "shot_noise", "impulse_noise"),
    "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    "weather": ("snow", "frost", "fog", "brightness"),
    "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
    "extra": ("speckle_noise", "gaussian_blur", "spatter", "saturate"),
}
"""Family to its corruptions, in the order of ImageNet-C; ``extra`` never enters the mCE."""

EXTRA_CORRUPTIONS: tuple[str, ...] = FAMILIES["extra"]
"""The 4 held-out corruptions, never part of the mCE."""

CORRUPTIONS: tuple[str, ...] = tuple(name for family, names in FAMILIES.items() if family != "extra" for name in names)
"""The 15 corruptions of ImageNet-C, in its order."""

SEVERITIES: tuple[int, ...] = (1, 2, 3, 4, 5)
"""The severities of every corruption."""

Definition = Literal["imagenet_c", "cifar10_c", "imagecorruptions"]
"""Whose definition: the scripts behind the published ImageNet-C and CIFAR-10-C, or the imagecorruptions package."""

CIFAR_SIDE = 32
"""Pixels of the only images that ``cifar10_c`` is defined for."""


Plugged: TypeAlias = "Callable[[Tensor, int, Sequence[int]], Tensor]"
"""``(B,3,H,W)`` uint8 images, the severity from 1 to 5, and ``B`` seeds -> the corrupted images, of the same shape and
type, each a function of its own image and seed alone."""

PLUGGED: dict[str, Plugged] = {}
"""Corruptions of plug-ins, by name."""


def register_corruption(name: str, corrupt: Plugged) -> None:
    """Make a plug-in's corruption known to the benchmark ``corruption``, for any definition.

    Args:
        name: its name in configurations and results. It stands for the images: a change of them needs a new name.
        corrupt: what makes the images.

    Raises:
        ConfigurationError: another corruption has the name.
    """
    if name in corruption_names() and PLUGGED.get(name) is not corrupt:
        raise ConfigurationError(f"two corruptions are called {name!r}: rename one")
    PLUGGED[name] = corrupt


def corruption_names() -> tuple[str, ...]:
    """Every corruption: the 15, the 4 extra ones, and those of plug-ins."""
    return (*CORRUPTIONS, *EXTRA_CORRUPTIONS, *PLUGGED)


def severity_of(condition: Condition) -> int:
    """The severity, 1 to 5, of a corruption condition.

    Raises:
        ConfigurationError: an unknown corruption, or a strength that is not one of the 5 severities.
    """
    known = corruption_names()
    if condition.name not in known:
        raise ConfigurationError(f"no corruption named {condition.name!r}: {nearest_names(condition.name, known)}")
    if condition.strength not in SEVERITIES:
        raise ConfigurationError(
            f"{condition.name} has no severity {condition.strength:g}: choose a whole number from 1 to 5"
        )
    return int(condition.strength)


def check_definition(definition: str) -> None:
    """Refuse a definition that does not exist.

    Raises:
        ConfigurationError: naming the nearest that does.
    """
    known = get_args(Definition)
    if definition not in known:
        raise ConfigurationError(f"no corruption definition {definition!r}: {nearest_names(definition, known)}")
