"""Which rows may be ranked together: those that agree in dataset, seed, precision and every benchmark they share."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from bench.benchmarks.clean import Clean
from bench.benchmarks.words import CLEAN
from bench.records import Condition, Parameter
from bench.reports.subjects import Subject, Variant

TRACK = ("dataset", "dataset_digest", "n_images", "label_space", "n_classes", "seed", "precision")
"""Fields of the run identity that a protocol fixes. The crop belongs to the classifier and stands under its name."""


def with_protocols(subjects: Sequence[Subject]) -> list[Subject]:
    """Mark every subject with the letter of its protocol and the conditions that this protocol calls for."""
    groups: list[list[Subject]] = []
    for subject in subjects:
        found = next((group for group in groups if all(_agree(subject, member) for member in group)), None)
        if found is None:
            groups.append([subject])
        else:
            found.append(subject)
    marks = {subject.label: _letters(place) for place, group in enumerate(groups) for subject in group}
    expected = {subject.label: _expected(group) for group in groups for subject in group}
    return [replace(subject, protocol=marks[subject.label], expected=expected[subject.label]) for subject in subjects]


def differences(subjects: Sequence[Subject]) -> dict[str, list[str]]:
    """In what the subjects differ that should agree before they are compared: the name of it, and its values."""
    facts: dict[str, set[str]] = {}
    for subject in subjects:
        for name in TRACK:
            facts.setdefault(name.replace("_", " "), set()).add(str(getattr(subject.spec, name)))
        for benchmark, variant in subject.benchmarks.items():
            facts.setdefault(benchmark, set()).add(describe_variant(variant))
        for package, version in subject.provenance.packages.items():
            facts.setdefault(f"version of {package}", set()).add(version)
    return {name: sorted(values) for name, values in facts.items() if len(values) > 1}


def describe_variant(variant: Variant) -> str:
    """Version and parameters of a benchmark in words: ``version 1, steps 20``."""
    return ", ".join([f"version {variant.version}", *_words(variant.parameters)])


def describe_options(variant: Variant) -> str:
    """How hard a benchmark tries, in words: ``rel stepsize 0.1, steps 20``."""
    return ", ".join(_words(variant.declared.budget(variant.parameters)))


def _words(parameters: Mapping[str, Parameter]) -> Iterator[str]:
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            yield from _words(value)
        elif value is not False and value not in (None, ""):
            yield f"{name.replace('_', ' ')} {_short(value)}"


def _agree(one: Subject, other: Subject) -> bool:
    """Whether two rows are of one protocol. Auxiliary images have their own: their columns are ranked among the rows
    that saw the same ones.
    """
    if any(getattr(one.spec, name) != getattr(other.spec, name) for name in TRACK):
        return False
    return all(
        (variant.version, variant.parameters) == (other.benchmarks[name].version, other.benchmarks[name].parameters)
        for name, variant in one.benchmarks.items()
        if name in other.benchmarks and not (variant.spec.auxiliary and other.benchmarks[name].spec.auxiliary)
    )


def _expected(group: Sequence[Subject]) -> Mapping[str, Mapping[Condition, str]]:
    """What each row of the group should hold: what any of them holds, what a complete run of a benchmark has, and the
    clean images where a benchmark's figures are compared with theirs.
    """
    variants = [item for subject in group for item in subject.benchmarks.items()]
    expected: dict[str, dict[Condition, str]] = {}
    for name, variant in variants:
        expected.setdefault(name, {}).update({condition: variant.describe(condition) for condition in variant.cells})
    for name, variant in variants:
        complete = variant.declared.complete_conditions()
        expected[name] |= {condition: variant.describe(condition) for condition in complete}
    if any(variant.declared.needs_clean and not variant.spec.auxiliary for _, variant in variants):
        expected.setdefault(Clean.name, {CLEAN: Clean.describe(CLEAN, "")})
    return {name: expected[name] for name in sorted(expected)}


def _letters(place: int) -> str:
    """A, B, ..., Z, AA, AB, ..."""
    before, letter = divmod(place, 26)
    return (_letters(before - 1) if before else "") + chr(ord("A") + letter)


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
