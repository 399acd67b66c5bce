"""Corrupt, attack and explain batches of images, one call each."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bench.attacks import AttackResult, AttackSpec, run_attack
from bench.attacks.spec import attack_names
from bench.benchmarks.adversarial import parse_epsilon
from bench.benchmarks.attack import Attack
from bench.corruptions import CORRUPTIONS, EXTRA_CORRUPTIONS, SEVERITIES
from bench.corruptions.batched import corrupt as corrupt_bytes
from bench.corruptions.catalogue import Definition
from bench.errors import ConfigurationError, nearest_names
from bench.explain.attribute import attribute as attribution_maps
from bench.imaging.division import bytes_to_pixels, divide
from bench.library.images import to_bytes
from bench.library.presets import names_of, preset_benchmark
from bench.models import numerics
from bench.records import Condition
from bench.seeding import derive_seed


def corrupt(
    images: Tensor, corruption: str, severity: int = 3, *, seed: int = 0, definition: Definition = "imagenet_c"
) -> Tensor:
    """Corrupted images, as ImageNet-C makes them (Hendrycks and Dietterich 2019), without its JPEG step.

    Args:
        images: ``(B,3,H,W)``, uint8 or floats in [0,1], at least 32 pixels per side, on any device.
        corruption: ``fog``, ``gaussian_noise``, ...
        severity: 1 to 5.
        seed: of the random corruptions; the draws of an image depend on its place in the batch.
        definition: ``imagenet_c``, ``cifar10_c`` (32 x 32 pixels) or ``imagecorruptions`` (the package).

    Returns:
        The same shape, type and device.

    Raises:
        ConfigurationError: an unknown corruption or severity.
        DataError: images of another shape, type or range.
    """
    known = (*CORRUPTIONS, *EXTRA_CORRUPTIONS)
    if corruption not in known:
        raise ConfigurationError(f"unknown corruption {corruption!r}: {nearest_names(corruption, known)}")
    if severity not in SEVERITIES:
        raise ConfigurationError(f"severity is 1 to 5, not {severity}")
    condition = Condition(corruption, float(severity))
    seeds = [derive_seed(seed, condition.key, str(position)) for position in range(len(images))]
    corrupted = corrupt_bytes(to_bytes(images), condition, seeds, definition=definition)
    return corrupted if images.dtype == torch.uint8 else divide(corrupted.to(images.dtype), 255)


def attack(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    name: str | AttackSpec,
    epsilon: float | str,
    *,
    seed: int = 0,
    **options: Any,
) -> AttackResult:
    """Attack a batch of images.

    Args:
        model: a ``Classifier``, or any network that takes pixels in [0,1]; in eval mode.
        images: ``(B,3,H,W)``, uint8 or floats in [0,1].
        labels: ``(B,)`` int64 true classes.
        name: of a preset (``pgd``, ``autoattack``), of an attack (``pgd_linf``, a class name of foolbox), or a whole
            ``AttackSpec``.
        epsilon: bound of the perturbation in [0,1] pixel units of the attack's norm; ``"4/255"`` will do.
        seed: of its random draws; those of an image depend on its place in the batch.
        **options: of the attack, such as ``steps``; ``norm``, ``restarts`` and ``target`` too.

    Returns:
        Adversarial images, predictions, distances and whether each attack succeeded.

    Raises:
        ConfigurationError: an unknown attack or option, or an epsilon that cannot be meant.
        AttackError: the attack broke its bounds, or the network answered NaN or infinity.
    """
    spec = _attack_spec(name, options)
    radius = parse_epsilon(epsilon)
    spec.check_epsilon(radius)
    pixels = bytes_to_pixels(images) if images.dtype == torch.uint8 else images
    seeds = [derive_seed(seed, spec.name, str(position)) for position in range(len(images))]
    with numerics(getattr(model, "precision", "float32")):
        return run_attack(model, pixels, labels, spec, radius, seeds=seeds)


def attribute(
    model: nn.Module,
    images: Tensor,
    targets: Tensor | Sequence[int] | None = None,
    *,
    method: str = "grad_cam",
    **settings: Any,
) -> Tensor:
    """Attribution maps: which pixels of each image are evidence for a class.

    Args:
        model: a ``Classifier``, or any network that takes pixels in [0,1].
        images: ``(B,3,H,W)``, uint8 or floats in [0,1].
        targets: ``(B,)`` classes the maps are about; the predictions when left out.
        method: a name of ``bench.explain.attribute.METHODS``: ``grad_cam``, ``integrated_gradients``, ...
        **settings: of the method.

    Returns:
        ``(B,H,W)`` float maps; larger is more evidence for the class.

    Raises:
        ConfigurationError: an unknown method or setting.
    """
    pixels = bytes_to_pixels(images) if images.dtype == torch.uint8 else images
    with numerics(getattr(model, "precision", "float32")):
        if targets is None:
            with torch.no_grad():
                chosen = model(pixels).argmax(1)
        else:
            chosen = torch.as_tensor(targets, device=pixels.device)
        return attribution_maps(model, pixels, chosen, method, **settings)


def _attack_spec(name: str | AttackSpec, options: dict[str, Any]) -> AttackSpec:
    if isinstance(name, AttackSpec):
        if options:
            raise ConfigurationError("an AttackSpec has its options already: give them there")
        return name
    own: dict[str, Any] = {key: options.pop(key) for key in ("norm", "restarts", "target") if key in options}
    if name in attack_names():
        return AttackSpec(name, options, **own)
    if name in names_of("benchmark"):
        preset = preset_benchmark(name).benchmark
        if isinstance(preset, Attack):
            own = {"norm": preset.norm, "restarts": preset.restarts, "target": preset.target} | own
            return AttackSpec(preset.attack, {**preset.options, **options}, **own)
    valid = [*attack_names(), *names_of("benchmark")]
    raise ConfigurationError(f"unknown attack {name!r}: {nearest_names(name, valid)}")
