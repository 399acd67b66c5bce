"""Images that a class or a unit likes best: gradient ascent with the regularisers of Yosinski et al. (2015)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from bench.errors import ConfigurationError


@dataclass(frozen=True)
class MaximisationConfig:
    """Yosinski et al. 2015, section 3; a regulariser at 0 is off."""

    steps: int = 160
    """Of ascent."""
    step_size: float = 0.02
    """Root mean square of a step over the image, in [0,1] units: gradients are scaled to it."""
    decay: float = 0.005
    """L2 decay towards grey, a share of the distance each step."""
    blur_sigma: float = 0.8
    """Gaussian blur, pixels."""
    blur_every: int = 4
    """Steps between blurs."""
    small_value: float = 0.0
    """Percentile of the pixels by norm that are set to grey, every ``blur_every`` steps."""
    small_gradient: float = 0.0
    """Percentile of the pixels by |gradient x pixel| that are set to grey, every ``blur_every`` steps."""
    jitter: int = 16
    """Largest shift of the image before each step, pixels, undone after it (Mordvintsev et al. 2015)."""


SETTLING = 10
"""The last tenth of the steps is without jitter, blur and clipping: the image is what the score was climbed on."""
GREY = 0.5
"""The origin that decay and clipping lead to."""


def check_maximisation(config: MaximisationConfig) -> None:
    """Refuse settings that mean nothing.

    Raises:
        ConfigurationError: naming the setting.
    """
    if config.steps < 1 or config.blur_every < 1:
        raise ConfigurationError("maximise.steps and maximise.blur_every are at least 1")
    if config.step_size <= 0 or not 0 <= config.decay < 1 or config.blur_sigma < 0 or config.jitter < 0:
        raise ConfigurationError(
            "maximise.step_size is positive, maximise.decay in [0,1), maximise.blur_sigma and maximise.jitter at least"
            " 0"
        )
    if not (0 <= config.small_value < 100 and 0 <= config.small_gradient < 100):
        raise ConfigurationError("maximise.small_value and maximise.small_gradient are percentiles in [0,100)")


def noise_start(size: tuple[int, int], seeds: Sequence[int]) -> Tensor:
    """``(len(seeds),3,H,W)`` in [0,1]: faint noise around grey, each image from its own seed."""
    noise = [np.random.default_rng(seed).normal(GREY, 0.05, (3, *size)) for seed in seeds]
    return torch.from_numpy(np.clip(np.stack(noise), 0, 1)).float()


def maximise(
    scores: Callable[[Tensor], Tensor],
    start: Tensor,
    config: MaximisationConfig,
    *,
    seed: int = 0,
    on_step: Callable[[], None] = lambda: None,
) -> Tensor:
    """Climb ``scores`` from ``start``.

    From noise it shows what a class or a unit is looking for; from a photograph it is the targeted adversarial
    reading: with every regulariser off and few steps, a small change that the eye does not see.

    Args:
        scores: ``(B,3,H,W)`` in [0,1] -> ``(B,)``, such as the logits of a class before softmax.
        start: ``(B,3,H,W)`` in [0,1].
        config: step and regularisers.
        seed: of the jitter.
        on_step: called after each step.

    Returns:
        ``(B,3,H,W)`` in [0,1], without a graph.
    """
    generator = np.random.default_rng(seed)
    settled = config.steps - config.steps // SETTLING
    images = start.detach().clone()
    for step in range(1, config.steps + 1):
        reach = config.jitter if step <= settled else 0
        shift = generator.integers(-reach, reach + 1, 2).tolist()
        gradients = _gradients(scores, images.roll(shift, (2, 3))).roll([-shift[0], -shift[1]], (2, 3))
        scale = gradients.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
        images = images + config.step_size * gradients / scale.clamp(min=1e-20)
        images = (GREY + (1 - config.decay) * (images - GREY)).clamp(0, 1)
        if step % config.blur_every == 0 and step < min(config.steps, settled + 1):
            images = _regularise(images, gradients, config)
        on_step()
    return images


def _gradients(scores: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    with torch.enable_grad():
        leaf = images.detach().requires_grad_()
        (gradients,) = torch.autograd.grad(scores(leaf).sum(), leaf)
    return gradients


def _regularise(images: Tensor, gradients: Tensor, config: MaximisationConfig) -> Tensor:
    if config.blur_sigma > 0:
        width = 2 * max(1, round(3 * config.blur_sigma)) + 1
        images = gaussian_blur(images, [width, width], [config.blur_sigma, config.blur_sigma])
    offset = images - GREY
    if config.small_value > 0:
        images = torch.where(_smallest(offset.norm(dim=1), config.small_value), GREY, images)
    if config.small_gradient > 0:
        images = torch.where(_smallest((offset * gradients).sum(dim=1).abs(), config.small_gradient), GREY, images)
    return images


def _smallest(values: Tensor, percentile: float) -> Tensor:
    """``(B,1,H,W)``: which pixels of ``(B,H,W)`` are below their image's percentile."""
    limits = torch.quantile(values.flatten(1), percentile / 100, dim=1)
    return (values < limits[:, None, None])[:, None]
