"""Has anything become worse? Every figure of a baseline, compared with the same classifier's figure today."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import DataError
from bench.metrics.paired import holm, loss_beyond
from bench.reports.columns import Column
from bench.reports.comparison import refuse_unlike
from bench.reports.entries import LeaderboardEntry, newest
from bench.reports.tables import escape_markdown, markdown_table

ALPHA = 0.05


@dataclass(frozen=True)
class Finding:
    """One figure of the baseline, today."""

    label: str
    """The label of its row, unique in the baseline."""
    title: str
    """The figure's heading."""
    baseline: float
    """Its value in the baseline, in points."""
    today: float = float("nan")
    """Its value today, in points; NaN where missing."""
    p_value: float = float("nan")
    """One-sided p-value of a loss beyond the tolerance; Holm-corrected over all figures. NaN where missing."""
    missing: str = ""
    """Why it cannot be compared; empty where it can."""

    @property
    def failed(self) -> bool:
        """Whether it makes the gate fail."""
        return bool(self.missing) or self.p_value < ALPHA


@dataclass(frozen=True)
class Known:
    """A row of the baseline."""

    label: str
    """Its label, unique in the baseline."""
    classifier: str
    """Name of the classifier."""
    defense: str
    """Its defense; empty for none."""
    dataset_digest: str
    """Digest of its images."""
    figures: Callable[[Column], float]
    """The figure in a column; raises DataError where the baseline has none, and then the column is not compared."""
    losses: Callable[[Column, LeaderboardEntry], NDArray[Any]]
    """``(N,)`` how much smaller each image's value has become; raises DataError where that cannot be computed."""


def known_entry(entry: LeaderboardEntry) -> Known:
    """A baseline row whose value is known for every image, so that the test is paired."""

    def losses(column: Column, today: LeaderboardEntry) -> NDArray[Any]:
        refuse_unlike(column, entry, today)
        return column.values(entry).astype(np.float64) - column.values(today).astype(np.float64)

    spec = entry.spec

    def figure(column: Column) -> float:
        return float(column.values(entry).mean())

    return Known(entry.label, spec.classifier, spec.defense, spec.dataset_digest, figure, losses)


def known_row(row: "pd.Series[Any]") -> Known:
    """A baseline row from a ``leaderboard.csv``; its figures are used as exact, without their own error."""

    def figure(column: Column) -> float:
        value = float(row.get(column.name, float("nan")))
        if np.isnan(value):
            raise DataError("not in the baseline")
        return value

    def losses(column: Column, today: LeaderboardEntry) -> NDArray[Any]:
        if column.strength_column:
            then, now = float(row[column.strength_column]), column.strength(today).strength
            if not np.isclose(then, now):
                unit = column.declared.strength_unit
                raise DataError(f"{column.benchmark} is summarised at {unit} {now:.6g}, and was at {then:.6g}")
        losses: NDArray[np.float64] = figure(column) - column.values(today).astype(np.float64)
        return losses

    defense = "" if pd.isna(row["defense"]) else str(row["defense"])
    return Known(str(row["label"]), str(row["classifier"]), defense, str(row["dataset_digest"]), figure, losses)


def compare_to_baseline(
    baseline: Sequence[Known], entries: Sequence[LeaderboardEntry], columns: Sequence[Column], tolerance: float
) -> list[Finding]:
    """Every figure that the baseline has, in its order.

    A loss makes the gate fail where a one-sided paired test, after Holm's correction over all figures, is significant
    at 5 % for a loss beyond the tolerance. Without a real loss, that is at most one run in twenty.

    Args:
        baseline: rows of the baseline.
        entries: today's entries, with their protocols.
        columns: every figure that the baseline may have.
        tolerance: points that may be lost.

    Raises:
        DataError: the baseline has no figure at all.
    """
    findings = [finding for known in baseline for finding in _findings(known, entries, columns, tolerance)]
    if not findings:
        raise DataError("the baseline has no figures: there is nothing to compare with")
    tested = [place for place, finding in enumerate(findings) if not finding.missing]
    corrected = holm([findings[place].p_value for place in tested])
    for place, p_value in zip(tested, corrected, strict=True):
        findings[place] = replace(findings[place], p_value=float(p_value))
    return findings


def _findings(
    known: Known, entries: Sequence[LeaderboardEntry], columns: Sequence[Column], tolerance: float
) -> Iterator[Finding]:
    today = [
        entry
        for entry in entries
        if (entry.spec.classifier, entry.spec.defense, entry.spec.dataset_digest)
        == (known.classifier, known.defense, known.dataset_digest)
    ]
    alike = [entry for entry in today if entry.label == known.label] or today
    latest = newest(alike) if alike else None
    for column in columns:
        try:
            value = known.figures(column)
        except DataError:
            continue
        scale = 100 if column.percent else 1
        finding = Finding(known.label, column.title, value * scale)
        if latest is None:
            yield replace(finding, missing="the classifier was not run on these images")
            continue
        try:
            losses = known.losses(column, latest)
        except DataError as error:
            yield replace(finding, missing=str(error))
            continue
        harm = losses if column.better == "higher" else -losses
        p_value = loss_beyond(harm, tolerance / scale)
        yield replace(finding, today=float(column.values(latest).mean()) * scale, p_value=p_value)


def gate_markdown(findings: Sequence[Finding], tolerance: float, where: str, absent: Sequence[str] = ()) -> str:
    """The verdict as a short Markdown text, for a comment: failures in full, the others as a count.

    Args:
        findings: of ``compare_to_baseline``.
        tolerance: points that may be lost.
        where: the baseline, in words.
        absent: what could not be compared, of ``absent_plugins``.
    """
    failed = [finding for finding in findings if finding.failed]
    lost = [finding for finding in failed if not finding.missing]
    missing = [finding for finding in failed if finding.missing]
    passed = len(findings) - len(failed)
    verdict = f"failed: {len(lost)} worse, {len(missing)} missing" if failed else "passed"
    parts = [f"### Snowwolf gate {verdict}", f"{passed} of {len(findings)} figures hold against {where}."]
    if lost:
        rows = [
            [item.label, item.title, f"{item.baseline:.2f}", f"{item.today:.2f}", f"{item.p_value:.2g}"]
            for item in lost
        ]
        parts += [
            f"Worse by more than {tolerance:g} points (one-sided paired test, Holm-corrected, 5 %):",
            markdown_table(["Row", "Figure", "Baseline", "Now", "p"], rows),
        ]
    if missing:
        rows = [[item.label, item.title, f"{item.baseline:.2f}", item.missing] for item in missing]
        parts += ["Missing:", markdown_table(["Row", "Figure", "Baseline", "Why"], rows)]
    if absent:
        parts += ["Not compared:", "\n".join(f"- {escape_markdown(sentence)}" for sentence in dict.fromkeys(absent))]
    return "\n\n".join(parts) + "\n"
