"""The pieces of one training step: augmentation, the perturbation, the learning rate."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.imaging.windows import take_pixels

WARM_SHARE = 0.4
"""Share of the training over which the learning rate rises (Wong et al. 2020: ``lr_max`` at two fifths)."""


def perturb(
    classifier: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float,
    steps: int,
    step_size: float,
    generator: torch.Generator,
) -> Tensor:
    """Signed gradient steps from a uniform random start in the Linf ball, projected onto the ball and [0,1].

    One step of 1.25 epsilon is the fast FGSM of Wong et al. 2020, "Fast is better than free" (algorithm 3); several
    smaller ones are the PGD of Madry et al. 2018. The classifier's mode is left as it is.

    Args:
        classifier: ``(B,3,H,W)`` in [0,1] -> logits ``(B,K)``.
        images: ``(B,3,H,W)`` float in [0,1].
        labels: ``(B,)`` int64.
        epsilon: radius, in [0,1] pixel units.
        steps: gradient steps; 0 returns the images as they are.
        step_size: length of a step as a share of epsilon.
        generator: where the start is drawn from, on the images' device.

    Returns:
        ``(B,3,H,W)`` perturbed images, detached.
    """
    if steps == 0:
        return images
    low, high = (images - epsilon).clamp_(0, 1), (images + epsilon).clamp_(0, 1)
    start = torch.empty_like(images).uniform_(-epsilon, epsilon, generator=generator)
    moved = torch.clamp(images + start, low, high)
    for _ in range(steps):
        moved.requires_grad_()
        loss = F.cross_entropy(classifier(moved), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, moved)
        moved = torch.clamp(moved.detach() + step_size * epsilon * gradient.sign(), low, high)
    return moved


def augment(images: Tensor, *, shift: int, flip: bool, generator: torch.Generator) -> Tensor:
    """A random crop of each zero-padded image, and a mirror image of about half of them (He et al. 2016, section 4.2).

    Args:
        images: ``(B,3,H,W)`` uint8.
        shift: pixels of padding on each side.
        flip: whether to mirror.
        generator: where offsets and mirrors are drawn from, on the CPU.

    Returns:
        ``(B,3,H,W)`` uint8, laid out channels-last.
    """
    count, _, height, width = images.shape
    device = images.device
    down, right = torch.randint(0, 2 * shift + 1, (2, count, 1), generator=generator).to(device)
    mirrored = (torch.rand(count, 1, generator=generator) < (0.5 if flip else 0.0)).to(device)
    rows = torch.arange(height, device=device) + down
    columns = torch.arange(width, device=device)
    columns = torch.where(mirrored, columns.flip(0), columns) + right
    padded = F.pad(images, (shift, shift, shift, shift))
    return take_pixels(padded, rows, columns)


def learning_rate(progress: float, peak: float) -> float:
    """The one-cycle schedule of Wong et al. 2020: from 0 up to ``peak``, and down to 0, in straight lines.

    Args:
        progress: share of all steps done, in [0,1].
        peak: highest value.
    """
    return peak * min(progress / WARM_SHARE, (1 - progress) / (1 - WARM_SHARE))
