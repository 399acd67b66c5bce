"""Which entries may be ranked together: those with the same dataset, seed, precision and shared benchmarks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from bench.records import Condition, Parameter
from bench.reports.entries import LeaderboardEntry
from bench.reports.reference import REFERENCE, REFERENCE_CONDITION
from bench.reports.variants import Variant

TRACK = ("dataset", "dataset_digest", "n_images", "label_space", "n_classes", "seed", "precision")
"""Fields of the run identity that a protocol fixes. The crop belongs to the classifier and is shown with its name."""


def with_protocols(entries: Sequence[LeaderboardEntry]) -> list[LeaderboardEntry]:
    """The same entries with the letter of their protocol and the conditions that this protocol calls for."""
    groups: list[list[LeaderboardEntry]] = []
    for entry in entries:
        same = next((group for group in groups if all(_agree(entry, member) for member in group)), None)
        if same is None:
            groups.append([entry])
        else:
            same.append(entry)
    marks = {entry.label: _letters(place) for place, group in enumerate(groups) for entry in group}
    expected = {entry.label: _expected(group) for group in groups for entry in group}
    return [replace(entry, protocol=marks[entry.label], expected=expected[entry.label]) for entry in entries]


def differences(entries: Sequence[LeaderboardEntry]) -> dict[str, list[str]]:
    """The settings that should be the same in entries to be compared and are not: name and values."""
    facts: dict[str, set[str]] = {}
    for entry in entries:
        for name in TRACK:
            facts.setdefault(name.replace("_", " "), set()).add(str(getattr(entry.spec, name)))
        for benchmark, variant in entry.benchmarks.items():
            facts.setdefault(benchmark, set()).add(describe_variant(variant))
        for package, version in entry.provenance.packages.items():
            facts.setdefault(f"version of {package}", set()).add(version)
    return {name: sorted(values) for name, values in facts.items() if len(values) > 1}


def describe_variant(variant: Variant) -> str:
    """Version and parameters of a benchmark in words: ``version 1, gamma 2``."""
    return ", ".join([f"version {variant.version}", *_words(variant.parameters)])


def describe_options(variant: Variant) -> str:
    """The budget of a benchmark in words: ``budget 20, rate 0.1``."""
    return ", ".join(_words(variant.declared.budget(variant.parameters)))


def _words(parameters: Mapping[str, Parameter]) -> Iterator[str]:
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            yield from _words(value)
        elif value is not False and value not in (None, ""):
            yield f"{name.replace('_', ' ')} {_short(value)}"


def _agree(one: LeaderboardEntry, other: LeaderboardEntry) -> bool:
    """Whether two entries have the same protocol.

    Auxiliary images do not matter here: columns on them are ranked among the entries with the same auxiliary images.
    """
    if any(getattr(one.spec, name) != getattr(other.spec, name) for name in TRACK):
        return False
    return all(
        (variant.version, variant.parameters) == (other.benchmarks[name].version, other.benchmarks[name].parameters)
        for name, variant in one.benchmarks.items()
        if name in other.benchmarks and not (variant.spec.auxiliary and other.benchmarks[name].spec.auxiliary)
    )


def _expected(group: Sequence[LeaderboardEntry]) -> Mapping[str, Mapping[Condition, str]]:
    """The conditions that each entry of the group should have.

    Those that any entry of the group has, those of a complete run of each benchmark, and the unchanged images where a
    benchmark's figures are compared with them.
    """
    variants = [item for entry in group for item in entry.benchmarks.items()]
    expected: dict[str, dict[Condition, str]] = {}
    for name, variant in variants:
        expected.setdefault(name, {}).update({condition: variant.describe(condition) for condition in variant.cells})
    for name, variant in variants:
        complete = variant.declared.complete_conditions()
        expected[name] |= {condition: variant.describe(condition) for condition in complete}
    if any(variant.declared.needs_clean and not variant.spec.auxiliary for _, variant in variants):
        expected.setdefault(REFERENCE.name, {REFERENCE_CONDITION: REFERENCE.describe(REFERENCE_CONDITION, "")})
    return {name: expected[name] for name in sorted(expected)}


def _letters(place: int) -> str:
    """A, B, ..., Z, AA, AB, ..."""
    before, letter = divmod(place, 26)
    return (_letters(before - 1) if before else "") + chr(ord("A") + letter)


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
