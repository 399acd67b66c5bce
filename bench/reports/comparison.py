"""Two classifiers on the same images: the difference of every figure, condition and image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import DataError
from bench.metrics.paired import holm, mcnemar, paired_difference
from bench.metrics.sampling import Hits, on_shared_images
from bench.records import Condition
from bench.reports.columns import Column, columns_of
from bench.reports.entries import LeaderboardEntry
from bench.reports.protocols import describe_variant, with_protocols
from bench.reports.reference import REFERENCE, REFERENCE_CONDITION

DIFFERENCES = [
    *["candidate", "baseline", "metric", "better", "baseline_value", "candidate_value", "difference"],
    *["difference_low", "difference_high", "p_value", "p_corrected", "verdict", "minimum_detectable_difference", "n"],
    "note",
]
CONDITIONS = [
    *["candidate", "baseline", "benchmark", "condition", "strength", "baseline_accuracy", "candidate_accuracy"],
    *["regressed", "fixed", "p_value", "p_corrected"],
]
IMAGES = ["candidate", "baseline", "image_id", "label", "clean", "regressed", "fixed"]
ALPHA = 0.05


@dataclass(frozen=True)
class Comparison:
    """Candidates against one baseline."""

    differences: pd.DataFrame
    """One row per candidate and figure; ``verdict`` is better, worse or undecided after Holm's correction."""
    conditions: pd.DataFrame
    """One row per candidate and shared condition: how many images regressed and how many were fixed."""
    images: pd.DataFrame
    """One row per candidate and image that flipped under any shared condition, and under how many."""


def compare(baseline: LeaderboardEntry, candidates: Sequence[LeaderboardEntry]) -> Comparison:
    """Every figure, condition and image. Holm's correction runs over each table: all figures, all conditions.

    Raises:
        DataError: a candidate was run on other images than the baseline.
    """
    pairs = [_aligned(baseline, candidate) for candidate in candidates]
    differences = [row for first, second in pairs for row in _differences(first, second)]
    conditions = [row for first, second in pairs for row in _conditions(first, second)]
    images = [_images(first, second) for first, second in pairs]
    table = _corrected(pd.DataFrame(differences, columns=DIFFERENCES))
    table["verdict"] = [_verdict(row) for _, row in table.iterrows()]
    flipped = pd.concat(images, ignore_index=True)
    return Comparison(table, _corrected(pd.DataFrame(conditions, columns=CONDITIONS)), flipped)


def unlike(first: LeaderboardEntry, second: LeaderboardEntry, benchmark: str) -> str:
    """Why the figures of a benchmark are not the same measurement for both; empty where they are."""
    one, other = first.benchmarks.get(benchmark), second.benchmarks.get(benchmark)
    if one is None or other is None or (one.version, one.parameters) == (other.version, other.parameters):
        return ""
    return f"{benchmark} differs: {describe_variant(one)} against {describe_variant(other)}"


def shared_conditions(first: LeaderboardEntry, second: LeaderboardEntry) -> Iterator[tuple[str, Condition]]:
    """Benchmark and condition of every cell that is complete in both and measured in the same way."""
    for benchmark in first.benchmarks:
        if benchmark in second.benchmarks and not unlike(first, second, benchmark):
            for condition in first.conditions(benchmark):
                if first.has(benchmark, condition) and second.has(benchmark, condition):
                    yield benchmark, condition


def _aligned(baseline: LeaderboardEntry, candidate: LeaderboardEntry) -> list[LeaderboardEntry]:
    """Both, with the conditions that either was run under as expected ones."""
    if (baseline.spec.dataset_digest, baseline.spec.n_images) != (
        candidate.spec.dataset_digest,
        candidate.spec.n_images,
    ):
        raise DataError(
            f"{candidate.label} was run on other images than {baseline.label}"
            f" ({candidate.spec.dataset}, {candidate.spec.n_images} images, digest {candidate.spec.dataset_digest};"
            f" {baseline.spec.dataset}, {baseline.spec.n_images}, {baseline.spec.dataset_digest}):"
            " run both on one dataset"
        )
    return with_protocols([baseline, candidate])


def _differences(first: LeaderboardEntry, second: LeaderboardEntry) -> Iterator[dict[str, object]]:
    for column in columns_of([first, second]):
        row: dict[str, object] = {
            "candidate": second.label,
            "baseline": first.label,
            "metric": column.name,
            "better": column.better,
            "note": "",
        }
        try:
            refuse_unlike(column, first, second)
            ours, theirs = column.values(first), column.values(second)
            difference = paired_difference(ours, theirs)
        except DataError as error:
            yield {**row, "note": str(error)}
            continue
        yield {
            **row,
            "baseline_value": float(ours.mean()),
            "candidate_value": float(theirs.mean()),
            "difference": difference.value,
            "difference_low": difference.low,
            "difference_high": difference.high,
            "p_value": difference.p_value,
            "minimum_detectable_difference": difference.detectable,
            "n": difference.n,
        }


def refuse_unlike(column: Column, first: LeaderboardEntry, second: LeaderboardEntry) -> None:
    """Raise DataError where a figure is not the same measurement for both."""
    note = unlike(first, second, column.benchmark)
    if note:
        raise DataError(note)
    if column.strength_column:
        at = [column.strength(entry).strength for entry in (first, second)]
        if at[0] != at[1]:
            unit = column.declared.strength_unit
            raise DataError(f"{column.benchmark} is summarised at {unit} {at[0]:.6g} against {at[1]:.6g}")


def _conditions(first: LeaderboardEntry, second: LeaderboardEntry) -> Iterator[dict[str, object]]:
    for benchmark, condition in shared_conditions(first, second):
        try:
            ours, theirs = on_shared_images([first.hits(benchmark, condition), second.hits(benchmark, condition)])
        except DataError:  # samples without a common image
            continue
        test = mcnemar(ours, theirs)
        yield {
            "candidate": second.label,
            "baseline": first.label,
            "benchmark": benchmark,
            "condition": condition.name,
            "strength": condition.strength,
            "baseline_accuracy": ours.mean(),
            "candidate_accuracy": theirs.mean(),
            "regressed": test.only_first,
            "fixed": test.only_second,
            "p_value": test.mid,
        }


def _images(first: LeaderboardEntry, second: LeaderboardEntry) -> pd.DataFrame:
    """The images of the main dataset that flipped; auxiliary images are left out."""
    n = first.spec.n_images
    regressed, fixed = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    own = [
        (benchmark, condition)
        for benchmark, condition in shared_conditions(first, second)
        if first.benchmarks[benchmark].cells[condition].spec.dataset_digest == first.spec.dataset_digest
    ]
    for benchmark, condition in own:
        lost, won = _flips(first.hits(benchmark, condition), second.hits(benchmark, condition))
        regressed += lost
        fixed += won
    flipped = np.flatnonzero(regressed + fixed)
    if not len(flipped):
        return pd.DataFrame(columns=IMAGES)
    rows = _rows_of(first, own, flipped)
    return pd.DataFrame(
        {
            "candidate": second.label,
            "baseline": first.label,
            "image_id": rows["image_id"].to_numpy(),
            "label": rows["label"].to_numpy(),
            "clean": _clean_flips(first, second, own)[flipped],
            "regressed": regressed[flipped],
            "fixed": fixed[flipped],
        }
    )


def _clean_flips(
    first: LeaderboardEntry, second: LeaderboardEntry, own: Sequence[tuple[str, Condition]]
) -> NDArray[np.str_]:
    """``(N,)`` ``regressed``, ``fixed`` or ``same`` on the unchanged image; empty text where either lacks the cell."""
    if (REFERENCE.name, REFERENCE_CONDITION) not in own:
        return np.full(first.spec.n_images, "")
    ours, theirs = (entry.hits(REFERENCE.name, REFERENCE_CONDITION) for entry in (first, second))
    lost, won = _flips(ours, theirs)
    shown = np.isin(np.arange(ours.n_images), np.intersect1d(ours.positions, theirs.positions))
    return np.select([lost, won, shown], ["regressed", "fixed", "same"], "")


def _flips(ours: Hits, theirs: Hits) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """``(N,)`` which images the second alone has wrong, and which it alone has right; of those that both were shown."""
    both = [np.full(ours.n_images, -1), np.full(ours.n_images, -1)]
    for column, hits in zip(both, (ours, theirs), strict=True):
        column[hits.positions] = hits.right
    return (both[0] == 1) & (both[1] == 0), (both[0] == 0) & (both[1] == 1)


def _rows_of(
    entry: LeaderboardEntry, cells: Sequence[tuple[str, Condition]], positions: NDArray[np.int64]
) -> pd.DataFrame:
    """Name and label of the images at ``positions``, from the first of ``cells`` that has each."""
    found: dict[int, dict[str, object]] = {}
    for benchmark, condition in cells:
        if len(found) == len(positions):
            break
        rows = entry.outcomes(benchmark, condition).set_index("position")[["image_id", "label"]]
        wanted = rows.loc[rows.index.intersection([item for item in positions if item not in found])]
        found |= {int(str(position)): dict(row) for position, row in wanted.iterrows()}
    return pd.DataFrame([found[int(position)] for position in positions])


def _corrected(table: pd.DataFrame) -> pd.DataFrame:
    tested = table["p_value"].notna()
    table["p_corrected"] = np.nan
    table.loc[tested, "p_corrected"] = holm(table.loc[tested, "p_value"].to_numpy(dtype=float))
    return table


def _verdict(row: "pd.Series[Any]") -> str:
    corrected, difference = float(str(row["p_corrected"])), float(str(row["difference"]))
    if np.isnan(corrected):
        return ""
    if corrected >= ALPHA:
        return "undecided"
    return "better" if (difference > 0) == (row["better"] == "higher") else "worse"
