"""What each corruption and each attack's step asks of an accelerator: ``python -m perf.device_costs`` (a minute).

Counted on the tests' pretended device: kernel launches and bytes moved of a batch of 256 images of 224 x 224 pixels,
and how often the host waits. ``device_costs.json`` keeps the counts; the tests hold the code to them, and
`perf.gpu_check` sets a real card's times beside what they lead one to expect.
"""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from bench.attacks import AttackSpec, run_attack
from bench.corruptions.batched import BATCHED, corrupt
from bench.records import Condition

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from pretended import Counts, counted, pretended_device

FILE = Path(__file__).with_name("device_costs.json")
BATCH, SIDE, SEVERITY = 256, 224, 3
_SMALL_SIDE, _SMALL_BATCH = 64, 16
"""Launches do not depend on the size of the images, nor bytes per image on how many there are."""
CARDS = {"NVIDIA H100 SXM": (3.35e12, 6e-6), "NVIDIA A100 40GB": (1.555e12, 6e-6), "NVIDIA T4": (0.32e12, 8e-6)}
"""Bytes per second of the memory (data sheets), and seconds that Python takes to launch one operation (assumed)."""
ATTACKS: dict[str, tuple[str, dict[str, int]]] = {
    "pgd_linf": ("steps", {}),
    "pgd_l2": ("steps", {}),
    "mi_fgsm": ("steps", {}),
    "square": ("queries", {}),
    "one_pixel": ("generations", {"population": 8}),
}
"""What its steps are called, and other options."""


class FewLaunches(nn.Module):
    """A classifier whose own launches hardly count, and which no attack breaks."""

    def forward(self, images: Tensor) -> Tensor:
        """``(B,2)`` logits."""
        score = images.flatten(1).mean(1)
        return torch.stack([score * 0, 100 + score], 1)


def count(run: Callable[[], object]) -> Counts:
    """Counts of the second run: the first makes tables that stay on the device."""
    run()
    with counted() as counts:
        run()
    return counts


def corruption_costs() -> dict[str, dict[str, float]]:
    """By corruption: launches of a batch, bytes per image, waits of the host."""
    costs = {}
    for name in BATCHED:
        many, large = corruption_counts(name, BATCH, _SMALL_SIDE), corruption_counts(name, _SMALL_BATCH, SIDE)
        costs[name] = {
            "launches": many.launches,
            "bytes_per_image": round(large.bytes_moved / _SMALL_BATCH),
            "host_reads": many.host_reads,
        }
    return costs


def corruption_counts(name: str, batch: int, side: int) -> Counts:
    """Of one batch, its tables already on the device."""
    images = torch.randint(
        0, 256, (batch, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    with pretended_device() as device:
        moved = images.to(device)
        return count(lambda: corrupt(moved, Condition(name, SEVERITY), range(batch)))


def step_cost(name: str, side: int = 32) -> dict[str, float]:
    """Launches and waits of one step of an attack, its classifier's few launches among them."""
    images = torch.rand(8, 3, side, side, generator=torch.Generator().manual_seed(0)) / 2 + 0.25
    steps, options = ATTACKS[name]
    with pretended_device() as device:
        moved, classes, classifier = (
            images.to(device),
            torch.ones(8, dtype=torch.int64).to(device),
            FewLaunches().eval(),
        )

        def run(number: int) -> None:
            spec = AttackSpec(name, {**options, steps: number})
            run_attack(classifier, moved, classes, spec, 1 if name == "one_pixel" else 0.01, seeds=range(8))

        short, long = count(partial(run, 10)), count(partial(run, 20))
    return {
        "launches": round((long.launches - short.launches) / 10, 1),
        "host_reads": round((long.host_reads - short.host_reads) / 10, 1),
    }


def expected_seconds(cost: dict[str, float], bandwidth: float, launch: float) -> float:
    """Of one batch: the launches and the memory work side by side, and the slower of the two decides."""
    return max(cost["launches"] * launch, cost["bytes_per_image"] * BATCH / bandwidth)


def table(costs: dict[str, dict[str, float]]) -> Table:
    """The counts, and images per second that they lead one to expect."""
    shown = Table(title=f"batches of {BATCH} images of {SIDE} x {SIDE}, severity {SEVERITY}: expected images/s")
    shown.add_column("corruption")
    for column in ("launches per batch", "MB per image", "host waits", *CARDS):
        shown.add_column(column, justify="right")
    for name, cost in costs.items():
        speeds = [f"{BATCH / expected_seconds(cost, *card):,.0f}" for card in CARDS.values()]
        asked = f"{cost['launches']:.0f}", f"{cost['bytes_per_image'] / 1e6:.1f}", f"{cost['host_reads']:.0f}"
        shown.add_row(name, *asked, *speeds)
    return shown


def main() -> None:
    """Count, print, and write the file."""
    costs, steps = corruption_costs(), {name: step_cost(name) for name in ATTACKS}
    FILE.write_text(json.dumps({"corruptions": costs, "attack_steps": steps}, indent=1) + "\n")
    console = Console(width=140)
    console.print(table(costs))
    of_steps = Table(title="one step of an attack, the classifier's passes left out but for four launches")
    for column in ("attack", "launches", "host waits"):
        of_steps.add_column(column, justify="left" if column == "attack" else "right")
    for name, cost in steps.items():
        of_steps.add_row(name, f"{cost['launches']:.0f}", f"{cost['host_reads']:.1f}")
    console.print(of_steps)


if __name__ == "__main__":
    main()
