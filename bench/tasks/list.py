"""``task=list``: models, data, benchmarks and suites by name, and what the store holds and lacks."""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.conf_files import CONF, choices
from bench.errors import ConfigurationError
from bench.results import Store
from bench.results.holdings import holdings
from bench.tasks.support.suite import suite_entries

EXPECTED = {
    "store": "complete cells / conditions that any classifier has on these images",
    "suite": "complete cells / those of the suite",
}
"""Choice of the expected conditions -> heading of the counts."""


def check(config: DictConfig) -> None:
    """Refuse an unknown choice of the expected conditions."""
    if config.expected not in EXPECTED:
        raise ConfigurationError(f"expected is {' or '.join(EXPECTED)}, not {config.expected!r}")


def run(config: DictConfig) -> None:
    """Print names and counts.

    Raises:
        DataError: a part of the store is damaged.
    """
    check(config)
    console = Console()
    for group in ("model", "defense", "data", "benchmark", "suite", "task"):
        console.print(f"{group:10} {', '.join(choices(group, _folders()))}", highlight=False)
    console.print(
        "model.name also takes any of timm's architectures, or hf-hub:OWNER/MODEL: snowwolf models 'resnet*'",
        highlight=False,
    )
    console.print(_store(config))


def _folders() -> list[Path]:
    """Where Hydra looks for yaml files: the project's folder, and those that the user has added."""
    if not HydraConfig.initialized():
        return [CONF]
    sources = HydraConfig.get().runtime.config_sources
    return [Path(source.path) for source in sources if source.schema == "file"]


def _store(config: DictConfig) -> Text | Table:
    """One row per classifier and dataset; empty stores are reported in words."""
    cells = Store(str(config.store)).cells()
    if not cells:
        return Text(f"store {config.store}: empty")
    suite = suite_entries(config) if config.expected == "suite" else {}
    table = Table(title=Text(f"store {config.store}"))
    for head in ("classifier", "weights", "dataset", EXPECTED[config.expected], "failed"):
        table.add_column(head, overflow="fold")
    for row in holdings(cells, suite):
        counts = ", ".join(f"{entry} {count}" for entry, count in row.counts.items())
        failed = str(row.n_failed) if row.n_failed else ""
        table.add_row(Text(row.classifier), row.weights_digest[:8], Text(row.images), Text(counts), failed)
    return table
