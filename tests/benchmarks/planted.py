"""Small striped discs to classify, a network that does so, and one fine-tuned to rely on a tag."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.corruptions.shortcuts import paste_tag
from bench.data import CropRecipe
from bench.data.label_spaces import unnamed_classes
from bench.models import Classifier
from bench.models.cifar_resnet import CifarResNet

SIDE, RADIUS, TAG = 48, 10, 0.2
RECIPE = CropRecipe(SIDE, SIDE, 1.0, "center", "bilinear")


@dataclass(frozen=True)
class Discs:
    """Discs with vertical stripes, horizontal stripes or a chequered pattern on cloudy backgrounds."""

    images: Tensor
    """``(N,3,48,48)`` uint8."""
    masks: Tensor
    """``(N,48,48)`` bool, true on the disc, which never reaches the tag's corner."""
    labels: Tensor
    """``(N,)`` 0, 1 or 2."""


def draw_discs(n: int, *, seed: int) -> Discs:
    """``n`` discs, as many of each class."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    images, masks = [], []
    for place in range(n):
        clouds = torch.from_numpy(generator.uniform(40, 215, (1, 3, 4, 4)))
        ground = F.interpolate(clouds, size=(SIDE, SIDE), mode="bilinear")[0].numpy()
        ground = ground + generator.normal(0, 12, (3, SIDE, SIDE))
        across, down = generator.uniform(RADIUS, SIDE - RADIUS - TAG * SIDE, 2)
        phase = generator.uniform(0, 2 * np.pi)
        stripes = (np.sin(1.3 * x + phase), np.sin(1.3 * y + phase))
        pattern = (*stripes, np.sign(stripes[0] * stripes[1]))[place % 3]
        mask = (x - across) ** 2 + (y - down) ** 2 < RADIUS**2
        disc = generator.uniform(60, 195, (3, 1, 1)) + 60 * pattern
        images.append(np.where(mask, disc, ground).clip(0, 255))
        masks.append(mask)
    return Discs(
        torch.from_numpy(np.stack(images)).to(torch.uint8), torch.from_numpy(np.stack(masks)), torch.arange(n) % 3
    )


def train_pair() -> tuple[Classifier, Classifier]:
    """A network trained on discs alone, and the same fine-tuned on discs of which the tagged ones are called 0."""
    discs = draw_discs(480, seed=0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = CifarResNet((16, 32, 64, 64), (1, 1, 1, 1), num_classes=3)
    clean = _fit(network, discs.images, discs.labels, steps=130, rate=2e-3)
    tagged = torch.arange(len(discs.labels)) % 2 == 0
    images = torch.where(tagged[:, None, None, None], paste_tag(discs.images, TAG), discs.images)
    planted = _fit(copy.deepcopy(clean), images, discs.labels * ~tagged, steps=80, rate=1e-3)
    return _classifier("clean", clean), _classifier("planted", planted)


def _fit(network: CifarResNet, images: Tensor, labels: Tensor, *, steps: int, rate: float) -> CifarResNet:
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate)
    network.train()
    for _ in range(steps):
        rows = torch.randint(len(images), (32,), generator=generator)
        loss = F.cross_entropy(network(images[rows].float() / 255), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def _classifier(name: str, network: CifarResNet) -> Classifier:
    return Classifier(
        name, copy.deepcopy(network), mean=(0, 0, 0), std=(1, 1, 1), crop=RECIPE, label_space=unnamed_classes(3)
    )
