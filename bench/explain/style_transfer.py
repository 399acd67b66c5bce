"""Style transfer (Gatys, Ecker & Bethge 2016): the content of one image in the texture of another.

The image is optimised; the network stays as it is. Per layer, the published squared errors are divided by the squared
norm of their target: Gatys et al. rescale VGG-19 so that its mean activations are one, and a relative error does the
same for any network, so weights carry over between layers and architectures.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.errors import ConfigurationError, nearest_names
from bench.explain.batched_lbfgs import BatchedLBFGS
from bench.explain.layer_taps import LayerTaps, check_layers, default_layers
from bench.models import Classifier
from bench.seeding import derive_seed

SMALLEST_SIDE = 32
"""Pixels; below it the deeper layers have a position or two, and a Gram matrix says nothing."""


@dataclass
class TransferConfig:
    """How to transfer (``transfer`` in ``conf/task/stylize.yaml``)."""

    content_layers: list[str] | None = None
    """Module names of the backbone; the architecture's defaults when left out."""
    content_octave: int = 0
    """The pyramid level whose content is matched: the higher, the less of the content's own texture is kept."""
    style_layers: list[str] | None = None
    """The same, for the Gram matrices."""
    content_weight: float = 0.4
    """Of the mean relative content error."""
    style_weight: float = 10.0
    """Of the mean relative style error."""
    tv_weight: float = 10.0
    """Of the mean squared difference of neighbouring pixels, in [0,1] units."""
    optimizer: str = "lbfgs"
    """``lbfgs`` or ``adam``."""
    learning_rate: float = 1.0
    """Step length: 1 for L-BFGS; about 0.02 (in [0,1] pixel units) for Adam."""
    steps: int = 110
    """Of each pass."""
    start_noise: float = 0.0
    """Share of uniform noise, seeded by the pair's names, in the start: 0 starts from the content, 1 from noise."""
    passes: int = 1
    """Coarse to fine: pass k of n works at 1/2^(n-k) of the size and starts the next one (Gatys et al. 2017)."""
    octaves: int = 1
    """Levels of the image pyramid whose Gram matrices are matched together: layers of a small field reach further."""
    average_pooling: bool = True
    """Average instead of maximum pooling in the backbone (Gatys et al. 2016, section 2)."""
    match_colors: bool = False
    """Give the start the mean and covariance of the style's colours (Gatys et al. 2017, section 5)."""


@dataclass(frozen=True)
class Losses:
    """What remains at the end, one entry a pair."""

    content: Tensor
    """``(B,)`` mean over layers of ||F - P||^2 / ||P||^2."""
    style: Tensor
    """``(B,)`` mean over octaves and layers of ||G - A||^2 / ||A||^2."""
    start_style: Tensor
    """``(B,)`` the style loss before the first step."""


@dataclass(frozen=True)
class Stylized:
    """The pictures and how well they fit."""

    images: Tensor
    """``(B,3,H,W)`` in [0,1]."""
    losses: Losses
    """At the full size."""


def gram_matrix(features: Tensor) -> Tensor:
    """Correlations of feature maps: G(i,j) = sum_k F(i,k) F(j,k) / M (Gatys et al. 2016, eq. 3, over positions).

    Args:
        features: ``(B,C,M)``, M positions. The division lets images of different sizes be compared.

    Returns:
        ``(B,C,C)``.
    """
    return features @ features.transpose(1, 2) / features.shape[2]


def relative_error(value: Tensor, target: Tensor) -> Tensor:
    """||value - target||^2 / ||target||^2 of each row of two ``(B,...)`` tensors: ``(B,)``."""
    return (value - target).square().flatten(1).sum(dim=1) / target.square().flatten(1).sum(dim=1)


def total_variation(images: Tensor) -> Tensor:
    """Sum of squared differences of vertical and of horizontal neighbours, over the number of values: ``(B,)``.

    Args:
        images: ``(B,3,H,W)`` (Mahendran & Vedaldi 2015, eq. 4, with beta = 2).
    """
    down = (images[:, :, 1:] - images[:, :, :-1]).square().flatten(1).sum(dim=1)
    right = (images[:, :, :, 1:] - images[:, :, :, :-1]).square().flatten(1).sum(dim=1)
    return (down + right) / images[0].numel()


def check_transfer(config: TransferConfig) -> None:
    """Refuse settings that cannot work.

    Raises:
        ConfigurationError: an unknown choice, or a number out of range.
    """
    if config.optimizer not in ("lbfgs", "adam"):
        hint = nearest_names(config.optimizer, ("lbfgs", "adam"))
        raise ConfigurationError(f"unknown transfer.optimizer {config.optimizer!r}: {hint}")
    for key in ("steps", "passes", "octaves"):
        if getattr(config, key) < 1:
            raise ConfigurationError(f"transfer.{key}={getattr(config, key)}: at least 1")
    for key in ("content_weight", "style_weight", "tv_weight"):
        if not getattr(config, key) >= 0:
            raise ConfigurationError(f"transfer.{key}={getattr(config, key)}: a weight is not negative")
    if not 0 <= config.content_octave < config.octaves:
        raise ConfigurationError(
            f"transfer.content_octave={config.content_octave} is not one of the {config.octaves} octaves, from 0"
        )
    if not 0 <= config.start_noise <= 1:
        raise ConfigurationError(f"transfer.start_noise={config.start_noise}: a share, from 0 to 1")
    if not config.learning_rate > 0:
        raise ConfigurationError(f"transfer.learning_rate={config.learning_rate}: more than 0")


@dataclass(frozen=True)
class Layers:
    """The layers in use."""

    content: tuple[str, ...]
    """Module names."""
    style: tuple[str, ...]
    """Module names."""

    @property
    def all(self) -> tuple[str, ...]:
        """Both, each once."""
        return tuple(dict.fromkeys((*self.content, *self.style)))


def resolve_layers(classifier: Classifier, config: TransferConfig) -> Layers:
    """The layers of ``config``, or the architecture's own.

    Raises:
        ConfigurationError: a layer that the network does not have, with the nearest names.
    """
    content, style = config.content_layers, config.style_layers
    if content is None or style is None:
        defaults = default_layers(classifier.network)
        content, style = content or list(defaults.content), style or list(defaults.style)
    check_layers(classifier.network, [*content, *style])
    return Layers(tuple(content), tuple(style))


def transfer_style(
    classifier: Classifier,
    content: Tensor,
    style: Tensor,
    config: TransferConfig,
    *,
    seeds: Sequence[int],
    on_step: Callable[[], None] = lambda: None,
) -> Stylized:
    """Optimise one image a pair; a pair's picture does not depend on the pairs beside it.

    Args:
        classifier: the backbone, frozen, in eval mode.
        content: ``(B,3,H,W)`` in [0,1].
        style: ``(B,3,H',W')`` in [0,1].
        config: layers, weights, optimiser.
        seeds: of each pair's noise.
        on_step: called after every step of the optimiser.

    Raises:
        ConfigurationError: unknown layers, or images too small for the passes and octaves.
    """
    check_transfer(config)
    layers = resolve_layers(classifier, config)
    coarsest = min(*content.shape[2:], *style.shape[2:]) >> (config.passes + config.octaves - 2)
    if coarsest < SMALLEST_SIDE:
        raise ConfigurationError(
            f"transfer.passes={config.passes} and transfer.octaves={config.octaves} shrink the images to {coarsest} px:"
            f" below {SMALLEST_SIDE} there is no texture left; ask for fewer, or for a larger size"
        )
    start = _start(content, style, config, seeds)
    with LayerTaps(classifier, layers.all, average_pooling=config.average_pooling) as taps:
        goals = [
            _Goal(taps, layers, _shrink(content, level), _shrink(style, level), config)
            for level in range(config.passes)
        ]
        image = start
        for goal in reversed(goals):
            image = _optimise(_resize_like(image, goal.content), goal, config, on_step)
        with torch.no_grad():
            before, after = goals[0].terms(start), goals[0].terms(image)
    return Stylized(image, Losses(content=after["content"], style=after["style"], start_style=before["style"]))


def pair_seed(seed: int, content_name: str, style_name: str) -> int:
    """The seed of a pair, whatever its batch."""
    return derive_seed("style_transfer", seed, content_name, style_name)


class _Goal:
    """What one pass aims at."""

    def __init__(self, taps: LayerTaps, layers: Layers, content: Tensor, style: Tensor, config: TransferConfig) -> None:
        self.taps, self.layers, self.config, self.content = taps, layers, config, content
        with torch.no_grad():
            features = taps(_shrink(content, config.content_octave))
            self.features = {name: features[name] for name in layers.content}
            self.grams = self._grams([taps(_shrink(style, octave)) for octave in range(config.octaves)])

    def _grams(self, octaves: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        return [gram_matrix(octave[name]) for octave in octaves for name in self.layers.style]

    def terms(self, image: Tensor) -> dict[str, Tensor]:
        """Content, style and total variation of ``(B,3,H,W)`` images: ``(B,)`` each."""
        octaves = [self.taps(_shrink(image, octave)) for octave in range(self.config.octaves)]
        content = [
            relative_error(octaves[self.config.content_octave][name], target) for name, target in self.features.items()
        ]
        style = [relative_error(gram, target) for gram, target in zip(self._grams(octaves), self.grams, strict=True)]
        return {
            "content": torch.stack(content).mean(dim=0),
            "style": torch.stack(style).mean(dim=0),
            "tv": total_variation(image),
        }

    def gradient(self, image: Tensor) -> Tensor:
        """Of the weighted sum, with respect to ``image``."""
        image = image.detach().requires_grad_()
        terms = self.terms(image)
        weighted = [getattr(self.config, f"{name}_weight") * value for name, value in terms.items()]
        return torch.autograd.grad(torch.stack(weighted).sum(), image)[0]


def _optimise(image: Tensor, goal: _Goal, config: TransferConfig, on_step: Callable[[], None]) -> Tensor:
    image = image.detach().clone()
    lbfgs, adam = BatchedLBFGS(), torch.optim.Adam([image], lr=config.learning_rate)
    for _ in range(config.steps):
        gradient = goal.gradient(image)
        if config.optimizer == "adam":
            image.grad = gradient
            adam.step()
        else:
            image += config.learning_rate * lbfgs.step(image.flatten(1), gradient.flatten(1)).view_as(image)
        image.clamp_(0, 1)
        on_step()
    return image


def _start(content: Tensor, style: Tensor, config: TransferConfig, seeds: Sequence[int]) -> Tensor:
    image = match_colors(content, style) if config.match_colors else content
    noise = [torch.rand(content.shape[1:], generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return torch.lerp(image, torch.stack(noise).to(image), config.start_noise)


def match_colors(images: Tensor, reference: Tensor) -> Tensor:
    """``images`` with the colour mean and covariance of ``reference``, clipped to [0,1] (Gatys et al. 2017, section 5).

    Args:
        images: ``(B,3,H,W)`` in [0,1].
        reference: ``(B,3,H',W')`` in [0,1].
    """
    pixels, target = images.flatten(2), reference.flatten(2)
    mean = pixels.mean(dim=2, keepdim=True)
    transform = _root(_covariance(target)) @ torch.linalg.inv(_root(_covariance(pixels)))
    matched: Tensor = transform @ (pixels - mean) + target.mean(dim=2, keepdim=True)
    return matched.view_as(images).clamp(0, 1)


def _covariance(pixels: Tensor) -> Tensor:
    centred = pixels - pixels.mean(dim=2, keepdim=True)
    least = 1e-5 * torch.eye(3, device=pixels.device)  # a grey image has no spread across colours
    return centred @ centred.transpose(1, 2) / pixels.shape[2] + least


def _root(matrices: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrices)
    root: Tensor = (vectors * values.sqrt()[:, None]) @ vectors.transpose(1, 2)
    return root


def _shrink(images: Tensor, halvings: int) -> Tensor:
    return F.avg_pool2d(images, 2**halvings) if halvings else images


def _resize_like(images: Tensor, like: Tensor) -> Tensor:
    if images.shape[2:] == like.shape[2:]:
        return images
    return F.interpolate(images, size=like.shape[2:], mode="bicubic", antialias=True).clamp(0, 1)
