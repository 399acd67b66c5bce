"""A job that workers can build for themselves, with benchmarks that take their worker down."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from bench.benchmarks import Benchmark, judge
from bench.records import Condition
from bench.sweep import Job, Placement, RuntimeConfig, plan_cells
from tests.conftest import ChannelMeans, ToyCrops


@dataclass(frozen=True, kw_only=True)
class Trap(Benchmark):
    """Classifies; on the image ``at`` it kills or hangs its process, once or (``always``) each time."""

    how: str = ""
    at: str = "image_5"
    folder: str = ""
    always: bool = False

    name = "trap"
    version = "1"
    strength_unit = "level"
    condition_fields = ("how", "at", "folder", "always")

    def conditions(self):
        return tuple(Condition("noise", level) for level in (1.0, 2.0))

    def run(self, classifier, batch, condition, *, seed):
        if self.how and self.at in batch.image_ids and condition.strength == 1.0:
            sprung = Path(self.folder) / "sprung"
            if self.always or not sprung.exists():
                sprung.touch()
                if self.how == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(600)
        return judge(classifier(batch.pixels()), batch)


def toy_crops(n=20):
    pixels = torch.randint(0, 256, (n, 3, 8, 8), generator=torch.Generator().manual_seed(n), dtype=torch.uint8)
    labels = pixels.float().mean(dim=(2, 3)).argmax(dim=1).numpy()
    return ToyCrops(pixels, labels, np.array([f"image_{i}" for i in range(n)]))


def open_toy_job(trap: Trap, placement: Placement) -> Job:
    if placement.device == "nowhere":
        raise OSError("the weights are not on this machine")
    classifier = ChannelMeans().eval()
    cells = plan_cells(classifier, {"trap": (trap, toy_crops())}, seed=0)
    runtime = RuntimeConfig(device="cpu", workers=0, batch_size=2, threads=placement.threads)
    return Job({classifier.name: classifier}, {cell.spec.cell_id: cell for cell in cells}, runtime, 0, "a toy")
