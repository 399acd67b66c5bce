"""A tiny timm network, and a toy problem with a robust cue and a brittle one."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import nn

from bench.data import CropRecipe, LabelSpace
from bench.models import Classifier

SIDE = 8


class TinyNet(nn.Module):
    """Convolution, batch norm, dropout, linear: everything that has a state or draws at random."""

    def __init__(self, num_classes=2, in_chans=3, **_):
        super().__init__()
        self.num_classes = num_classes
        self.conv = nn.Conv2d(in_chans, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.2)
        self.fc = nn.Linear(8 * SIDE * SIDE, num_classes)

    def reset_classifier(self, num_classes):
        self.fc = nn.Linear(8 * SIDE * SIDE, num_classes)

    def forward(self, images):
        return self.fc(self.drop(torch.relu(self.norm(self.conv(images)))).flatten(1))


default_cfgs = generate_default_cfgs(
    {
        "tiny_test_net": {
            "num_classes": 2,
            "input_size": (3, SIDE, SIDE),
            "crop_pct": 1.0,
            "interpolation": "bilinear",
            "mean": (0.5, 0.5, 0.5),
            "std": (0.25, 0.25, 0.25),
            "first_conv": "conv",
            "classifier": "fc",
        }
    }
)


@register_model
def tiny_test_net(pretrained=False, **options):
    """Registered with timm, as any network is."""
    return build_model_with_cfg(TinyNet, "tiny_test_net", pretrained, **options)


@dataclass(frozen=True)
class TwoCues:
    """Crops of two classes: a bright cue that is right for 85 % of them, a faint pattern that always is."""

    pixels: torch.Tensor
    labels: np.ndarray
    image_ids: np.ndarray
    name: str = "two_cues"
    digest: str = "abcd"
    label_space: LabelSpace = field(default_factory=lambda: LabelSpace("two cues", 2))
    class_ids: None = None
    groups: None = None
    accepted: None = None
    skipped: tuple[str, ...] = ()

    def __len__(self):
        return len(self.labels)

    def read(self, positions):
        return self.pixels[list(positions)]


@pytest.fixture
def two_cues():
    """``n`` images; epsilon 0.08 can undo the pattern (amplitude 0.04), not the brightness (0.2)."""

    def make(n=64, seed=0):
        rng = np.random.default_rng(seed)
        labels = np.arange(n) % 2
        sign = (2.0 * labels - 1)[:, None, None]
        pixels = 0.5 + 0.05 * rng.standard_normal((n, 3, SIDE, SIDE))
        honest = np.where(rng.random(n) < 0.85, 1.0, -1.0)[:, None, None]
        pixels[:, 0] += 0.2 * sign * honest
        pixels[:, 1] += 0.04 * sign * (2 * (np.indices((SIDE, SIDE)).sum(axis=0) % 2) - 1)
        stored = torch.from_numpy(np.rint(255 * pixels.clip(0, 1)).astype(np.uint8))
        return TwoCues(stored, labels.astype(np.int64), np.array([f"image_{i}" for i in range(n)]))

    return make


@pytest.fixture
def tiny():
    """An untrained classifier, equal at every call."""

    def make(num_classes=2, *, dropout=0.2):
        torch.manual_seed(1)
        network = TinyNet(num_classes)
        network.drop.p = dropout
        crop = CropRecipe(SIDE, SIDE, 1.0, "center", "bilinear")
        space = LabelSpace(f"{num_classes} classes", num_classes)
        return Classifier("tiny_test_net", network, mean=(0.5,) * 3, std=(0.25,) * 3, crop=crop, label_space=space)

    return make
