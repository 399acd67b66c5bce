"""One benchmark of a leaderboard entry under one version and set of parameters, with its cells."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.benchmarks import Benchmark
from bench.benchmarks.registry import benchmark_class
from bench.errors import DataError
from bench.records import Condition, Parameter, RunSpec, ThreatModel
from bench.reports.grouping import key_of
from bench.results import StoredCell


@dataclass(frozen=True)
class Variant:
    """One benchmark under one version and set of parameters."""

    benchmark: str
    """The benchmark's own name."""
    version: str
    """The benchmark's version."""
    parameters: Mapping[str, Parameter]
    """What identifies it beside its conditions."""
    cells: Mapping[Condition, StoredCell]
    """Its cells, at least one."""

    @property
    def declared(self) -> type[Benchmark]:
        """The benchmark's class, with its declarations."""
        return benchmark_class(self.benchmark)

    @property
    def spec(self) -> RunSpec:
        """The identity of its first cell; only the condition differs in the others."""
        return self.cells[min(self.cells)].spec

    @property
    def threat(self) -> ThreatModel:
        """Of an attack: what it may do and see.

        Raises:
            DataError: it is no attack.
        """
        if self.spec.threat is None:
            raise DataError(f"{self.benchmark} is no attack")
        return self.spec.threat

    @property
    def unit(self) -> str:
        """The unit of its conditions' strengths; that of the first condition where they differ."""
        return self.spec.strength_unit

    def describe(self, condition: Condition) -> str:
        """A condition in words, whether or not it was run."""
        spec = (self.cells.get(condition) or self.cells[min(self.cells)]).spec
        return self.declared.describe(condition, spec.strength_unit, (spec.entry, *spec.parameters.values()))

    @property
    def rank(self) -> tuple[bool, str]:
        """The variant with the highest rank is on the leaderboard: usable ones first, then the newest."""
        usable = all(cell.usable for cell in self.cells.values())
        return usable, max(cell.provenance.started for cell in self.cells.values())


@dataclass(frozen=True)
class Variants:
    """The variants of all benchmarks of one leaderboard entry."""

    newest: Mapping[str, Variant]
    """The variant of each benchmark that is on the leaderboard, by ``key_of``."""
    older: Sequence[tuple[str, Variant]]
    """The others, each with its key."""


def variants_of(cells: Iterable[StoredCell]) -> Variants:
    """Sort the cells of one leaderboard entry by benchmark, version and parameters."""
    variants: dict[tuple[str, str], dict[Condition, StoredCell]] = {}
    for cell in sorted(cells, key=lambda cell: (cell.usable, cell.provenance.started)):
        # the unit and the surrogate belong to the condition, not to the variant
        parameters = replace(cell.spec, condition=Condition(""), entry="", strength_unit="", surrogate="").to_json()
        variants.setdefault((key_of(cell.spec), parameters), {})[cell.spec.condition] = cell
    by_key: dict[str, list[Variant]] = {}
    for (key, _), by_condition in variants.items():
        spec = next(iter(by_condition.values())).spec
        by_key.setdefault(key, []).append(Variant(spec.benchmark, spec.version, _parameters(spec), by_condition))
    # a variant on the entry's main images comes before one on auxiliary images with the same key
    ranked = {
        key: sorted(group, key=lambda variant: (not variant.spec.auxiliary, *variant.rank))
        for key, group in by_key.items()
    }
    return Variants(
        newest={key: group[-1] for key, group in ranked.items()},
        older=[(key, variant) for key, group in ranked.items() for variant in group[:-1]],
    )


def _parameters(spec: RunSpec) -> Mapping[str, Parameter]:
    """The benchmark's parameters; auxiliary images are not the entry's main images, so they are added."""
    images: dict[str, Parameter] = {
        "dataset": spec.dataset,
        "images": spec.n_images,
        "dataset_digest": spec.dataset_digest,
    }
    return {**spec.parameters, **images} if spec.auxiliary else spec.parameters
