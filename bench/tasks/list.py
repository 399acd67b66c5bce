"""``task=list``: models, data, benchmarks and suites one can name, and what the store holds and lacks."""

from pathlib import Path

import timm
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.benchmarks import Benchmark
from bench.models.packaged import PACKAGED
from bench.records import Condition
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
    benchmarks = {name: build_benchmark(name, node) for name, node in chosen_benchmarks(config).items()}
    cells = Store(str(config.store)).cells()
    if not cells:
        console.print(f"store {config.store}: empty", highlight=False)
        return
    console.print(_holdings(str(config.store), cells, benchmarks))


def _holdings(root: str, cells: list[StoredCell], benchmarks: dict[str, Benchmark]) -> Table:
    """One row a classifier and dataset, with the complete cells of each entry, of those that the suite asks for."""
    names = sorted({*benchmarks, *(cell.spec.entry for cell in cells)})
    asked = {name: set(benchmark.conditions()) for name, benchmark in benchmarks.items()}
    table = Table(title=Text(f"store {root}"))
    for head in ("classifier", "weights", "dataset", "complete cells / those of the suite", "failed"):
        table.add_column(head, overflow="fold")
    rows: dict[tuple[str, str, str], list[StoredCell]] = {}
    for cell in cells:
        spec = cell.spec
        classifier = f"{spec.classifier} behind {spec.defense}" if spec.defense else spec.classifier
        rows.setdefault((classifier, spec.weights_digest, f"{spec.dataset} ({spec.n_images})"), []).append(cell)
    for (classifier, digest, dataset), held in sorted(rows.items()):
        counts = ", ".join(_count(name, held, asked.get(name)) for name in names)
        failed = sum(bool(cell.failures) for cell in held)
        table.add_row(Text(classifier), digest[:8], Text(dataset), Text(counts), str(failed) if failed else "")
    return table


def _count(entry: str, cells: list[StoredCell], asked: set[Condition] | None) -> str:
    """``fgsm 1/3``: conditions with a complete cell, of those asked for; ``fgsm 2`` where none is asked for."""
    complete = {cell.spec.condition for cell in cells if cell.spec.entry == entry and cell.complete}
    return f"{entry} {len(complete)}" if asked is None else f"{entry} {len(complete & asked)}/{len(asked)}"
