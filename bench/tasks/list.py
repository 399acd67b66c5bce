"""``task=list``: models, data, benchmarks and suites one can name, and what the store holds and lacks."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import timm
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.data import DataConfig, dataset_name
from bench.models.packaged import PACKAGED
from bench.results import Store, StoredCell
from bench.tasks.config import build_benchmark, chosen_benchmarks


def run(config: DictConfig) -> None:
    """Print it."""
    console = Console()
    conf = Path(__file__).resolve().parents[2] / "conf"
    for group in ("model", "defense", "data", "benchmark", "suite", "task"):
        names = sorted(path.stem for path in (conf / group).glob("*.yaml"))
        console.print(f"{group:10} {', '.join(names)}", highlight=False)
    console.print(
        f"model.name also takes any of timm's {len(timm.list_models())} architectures"
        f" ({len(timm.list_pretrained())} weights), or hf-hub:OWNER/MODEL; without a hub: {', '.join(PACKAGED)}",
        highlight=False,
    )
    cells = Store(str(config.store)).cells()
    if not cells:
        console.print(f"store {config.store}: empty", highlight=False)
        return
    console.print(_holdings(str(config.store), cells, _asked(config)))


@dataclass(frozen=True)
class _Asked:
    """A benchmark of the suite."""

    conditions: int
    """How many it has."""
    dataset: str | None
    """Name of the images that it brings; None where it takes those of ``data``."""


def _asked(config: DictConfig) -> dict[str, _Asked]:
    """The suite, by entry."""
    asked = {}
    for entry, node in chosen_benchmarks(config).items():
        own = node.get("data")
        known = (
            {key: own[key] for key in ("name", "source", "root", "dataset") if not OmegaConf.is_missing(own, key)}
            if own
            else {}
        )
        name = dataset_name(DataConfig(**known)) if own is not None else None
        asked[entry] = _Asked(len(build_benchmark(entry, node).conditions()), name)
    return asked


def _holdings(root: str, cells: list[StoredCell], asked: Mapping[str, _Asked]) -> Table:
    """One row a classifier and dataset: complete cells by entry, of those that the suite asks of that dataset."""
    table = Table(title=Text(f"store {root}"))
    for head in ("classifier", "weights", "dataset", "complete cells / those of the suite", "failed"):
        table.add_column(head, overflow="fold")
    rows: dict[tuple[str, str, str, int], list[StoredCell]] = {}
    for cell in cells:
        spec = cell.spec
        rows.setdefault((spec.classifier, spec.weights_digest, spec.dataset, spec.n_images), []).append(cell)
    for (classifier, digest, dataset, n_images), held in sorted(rows.items()):
        complete = Counter(cell.spec.entry for cell in held if cell.complete)
        wanted = _wanted(dataset, {cell.spec.entry for cell in held}, asked)
        names = sorted({*wanted, *(cell.spec.entry for cell in held)})
        counts = ", ".join(f"{name} {complete[name]}{wanted.get(name, '')}" for name in names)
        failed = sum(bool(cell.failures) for cell in held)
        images = Text(f"{dataset} ({n_images})")
        table.add_row(Text(classifier), digest[:8], images, counts, str(failed) if failed else "")
    return table


def _wanted(dataset: str, held: Collection[str], asked: Mapping[str, _Asked]) -> dict[str, str]:
    """``/N`` by entry, for what the suite asks of a dataset: what brings these images, and, where any of it was run on
    them, what brings none.
    """
    is_main = any(entry in held and benchmark.dataset is None for entry, benchmark in asked.items())
    return {
        entry: f"/{benchmark.conditions}"
        for entry, benchmark in asked.items()
        if benchmark.dataset == dataset or (benchmark.dataset is None and is_main)
    }
