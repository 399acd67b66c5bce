"""Shared fixtures: tiny analytic classifiers, records, and where the maintainers' images lie."""

import os
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import center_crop, pil_to_tensor, resize

from bench.attacks import AttackSpec
from bench.data import CropRecipe, LabelSpace
from bench.data.categories import CATEGORY_SPACE
from bench.records import Condition, Outcomes, Provenance, RunSpec

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

SHARED_DATA = Path(os.environ.get("SNOWWOLF_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, so that no worker is left with one at the end; skip what needs images of ours."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    if SHARED_DATA.is_dir():
        return
    for item in items:
        if item.get_closest_marker("shared_data"):
            item.add_marker(pytest.mark.skip(reason=f"the maintainers' images are not at {SHARED_DATA}"))


@pytest.fixture(scope="session")
def photographs() -> Tensor:
    """``(12,3,224,224)`` uint8 photographs, shipped with foolbox."""
    paths = sorted(
        (path for path in (files("foolbox") / "data").iterdir() if path.name.startswith("imagenet_")),
        key=lambda path: path.name,
    )[:12]
    crops = []
    for path in paths:
        with path.open("rb") as file:
            crops.append(pil_to_tensor(center_crop(resize(Image.open(file).convert("RGB"), 256), [224, 224])))
    return torch.stack(crops)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images that maintainers have."""
    return SHARED_DATA


UNITS = {"corruption": "severity", "fgsm": "epsilon", "pgd": "epsilon", "one_pixel": "pixels"}
"""What the strengths of some benchmarks count."""


def _declared(values: dict) -> dict:
    """What a benchmark would declare of itself for these parameters."""
    parameters, declared = values["parameters"], {"image_size": (224, 224)}
    if values["crop"][0].isdigit():
        height, width = values["crop"].partition("-")[0].split("x")
        declared["image_size"] = int(height), int(width)
    if "attack" in parameters:
        values["benchmark"] = "attack"  # the name is the suite's entry
        norm = parameters.get("norm") if parameters["attack"] == "autoattack" else None
        threat = AttackSpec(parameters["attack"], parameters["options"], norm=norm).threat
        planted = {name: parameters[name] for name in ("norm", "minimal_norm") if name in parameters}
        declared["threat"] = replace(threat, **planted, targeted=bool(parameters.get("target")))
    if "categories" in parameters:
        declared |= {"auxiliary": True}
        values["label_space"] = CATEGORY_SPACE.name
    declared["image_protocol"] = parameters.get("protocol", "")
    declared["decision_maker"] = parameters.get("decision_maker", "")
    return declared


@pytest.fixture
def make_spec():
    """A run spec with whatever a test wants to change."""

    def make(**changes) -> RunSpec:
        values = {
            "classifier": "linear",
            "weights_digest": "00ff",
            "crop": "224x224-center-0.875-bicubic",
            "defense": "",
            "dataset": "toy",
            "dataset_digest": "abcd",
            "n_images": 10,
            "label_space": "imagenet",
            "n_classes": 1000,
            "benchmark": "clean",
            "version": "1",
            "parameters": {},
            "condition": Condition("clean"),
            "strength_unit": UNITS.get(changes.get("entry", changes.get("benchmark", "")), ""),
            "seed": 0,
            "precision": "float32",
        }
        values |= {"entry": changes.get("benchmark", "clean")} | changes
        return RunSpec(**{**_declared(values), **values})

    return make


@pytest.fixture
def provenance() -> Provenance:
    """Provenance of a part nobody computed."""
    return Provenance(
        commit="0" * 40,
        dirty=False,
        packages={"torch": "0"},
        device="cpu",
        host="here",
        settings={"batch_size": 4},
        cost={"parameters": 10, "gmacs": 0.1},
        command="python run.py",
        started="2026-01-01T00:00:00+00:00",
        seconds=1.0,
    )


@pytest.fixture
def make_outcomes():
    """Outcomes of images ``start .. stop`` of a data set whose image ``i`` is called ``image_i``."""

    def make(start: int, stop: int, *, seed: int = 0) -> Outcomes:
        positions = np.arange(start, stop)
        return Outcomes(
            image_id=np.array([f"image_{position}" for position in positions]),
            label=positions % 3,
            prediction=(positions + seed) % 3,
            confidence=np.linspace(0.1, 0.9, len(positions), dtype=np.float32),
        )

    return make


@dataclass(frozen=True)
class ToyCrops:
    """Random images in memory, with the interface of a crop cache."""

    pixels: torch.Tensor
    labels: np.ndarray
    image_ids: np.ndarray
    name: str = "toy"
    digest: str = "abcd"
    label_space: LabelSpace = field(default_factory=lambda: LabelSpace("toy", 3, ("red", "green", "blue")))
    class_ids: tuple[int, ...] | None = None
    groups: None = None
    accepted: None = None
    skipped: tuple[str, ...] = ()
    recipe: CropRecipe = field(default_factory=lambda: CropRecipe(8, 8, 1.0, "center", "bilinear"))

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, positions) -> torch.Tensor:
        return self.pixels[list(positions)]


@pytest.fixture
def make_crops():
    """Random 3 x 8 x 8 images whose label is the channel with the largest mean."""

    def make(n: int = 10, *, side: int = 8, **changes) -> ToyCrops:
        pixels = torch.randint(
            0, 256, (n, 3, side, side), generator=torch.Generator().manual_seed(n), dtype=torch.uint8
        )
        labels = pixels.float().mean(dim=(2, 3)).argmax(dim=1).numpy()
        return ToyCrops(pixels, labels, np.array([f"image_{i}" for i in range(n)]), **changes)

    return make


class ChannelMeans(torch.nn.Module):
    """A linear classifier: the logits are 20 times the channel means. Its gradients and decisions are known by hand."""

    name = "channel_means"
    weights_digest = "00ff"
    precision = "float32"
    crop = SimpleNamespace(key="toy", height=8, width=8)
    input_size = (8, 8)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return 20 * images.mean(dim=(2, 3))


@pytest.fixture
def channel_means() -> ChannelMeans:
    """The analytic classifier."""
    return ChannelMeans().eval()
