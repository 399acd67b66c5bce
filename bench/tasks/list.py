"""``task=list``: models, data, benchmarks and suites one can name, and what the store holds and lacks."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.conf_files import CONF, choices
from bench.configs import DataConfig
from bench.library.presets import build_benchmark
from bench.records import Condition
from bench.tasks.support.config import chosen_benchmarks

if TYPE_CHECKING:  # the names alone are listed without the second that pandas takes
    from bench.results import StoredCell


def run(config: DictConfig) -> None:
    """Print it."""
    console = Console()
    for group in ("model", "defense", "data", "benchmark", "suite", "task"):
        console.print(f"{group:10} {', '.join(choices(group, _folders()))}", highlight=False)
    console.print(
        "model.name also takes any of timm's architectures, or hf-hub:OWNER/MODEL: snowwolf models 'resnet*'",
        highlight=False,
    )
    from bench.results import Store

    cells = Store(str(config.store)).cells()
    if not cells:
        console.print(f"store {config.store}: empty", highlight=False)
        return
    console.print(_holdings(str(config.store), cells, _asked(config)))


def _folders() -> list[Path]:
    """Where Hydra looks for yaml files: the project's folder, and those that the user has added."""
    if not HydraConfig.initialized():
        return [CONF]
    sources = HydraConfig.get().runtime.config_sources
    return [Path(source.path) for source in sources if source.schema == "file"]


@dataclass(frozen=True)
class _Asked:
    """A benchmark of the suite."""

    conditions: frozenset[Condition]
    dataset: str | None
    """Name of the images that it brings; None where it takes those of ``data``."""


def _asked(config: DictConfig) -> dict[str, _Asked]:
    """The suite, by entry."""
    from bench.data import dataset_name

    asked = {}
    for entry, node in chosen_benchmarks(config).items():
        own = node.get("data")
        known = (
            {key: own[key] for key in ("name", "source", "root", "dataset") if not OmegaConf.is_missing(own, key)}
            if own
            else {}
        )
        name = dataset_name(DataConfig(**known)) if own is not None else None
        asked[entry] = _Asked(frozenset(build_benchmark(entry, node).conditions()), name)
    return asked


def _holdings(root: str, cells: list["StoredCell"], asked: Mapping[str, _Asked]) -> Table:
    """One row a classifier and dataset: complete cells by entry, of those that the suite asks of that dataset."""
    table = Table(title=Text(f"store {root}"))
    for head in ("classifier", "weights", "dataset", "complete cells / those of the suite", "failed"):
        table.add_column(head, overflow="fold")
    rows: dict[tuple[str, str, str], list[StoredCell]] = {}
    for cell in cells:
        spec = cell.spec
        classifier = f"{spec.classifier} behind {spec.defense}" if spec.defense else spec.classifier
        rows.setdefault((classifier, spec.weights_digest, f"{spec.dataset} ({spec.n_images})"), []).append(cell)
    for (classifier, digest, images), stored in sorted(rows.items()):
        entries = {cell.spec.entry for cell in stored}
        wanted = _wanted(stored[0].spec.dataset, entries, asked)
        counts = ", ".join(_count(entry, stored, wanted.get(entry)) for entry in sorted({*wanted, *entries}))
        failed = sum(bool(cell.failures) for cell in stored)
        table.add_row(Text(classifier), digest[:8], Text(images), Text(counts), str(failed) if failed else "")
    return table


def _wanted(dataset: str, entries: Collection[str], asked: Mapping[str, _Asked]) -> dict[str, frozenset[Condition]]:
    """What the suite asks of a dataset: what brings these images, and, where any of it was run on them, the rest."""
    is_main = any(entry in entries and benchmark.dataset is None for entry, benchmark in asked.items())
    return {
        entry: benchmark.conditions
        for entry, benchmark in asked.items()
        if benchmark.dataset == dataset or (benchmark.dataset is None and is_main)
    }


def _count(entry: str, cells: list["StoredCell"], asked: frozenset[Condition] | None) -> str:
    """``fgsm 1/3``: conditions with a complete cell, of those asked for; ``fgsm 2`` where none is asked for."""
    complete = {cell.spec.condition for cell in cells if cell.spec.entry == entry and cell.complete}
    return f"{entry} {len(complete)}" if asked is None else f"{entry} {len(complete & asked)}/{len(asked)}"
