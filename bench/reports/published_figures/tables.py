"""Differences from published figures of the same weights, and effective robustness against the published fit."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from bench.benchmarks import Benchmark
from bench.benchmarks.real_labels import validation_numbers
from bench.metrics.effective_robustness import LogitFit
from bench.records import Estimate, RunSpec
from bench.references import SOURCES, PublishedFigure, find_published, published_fit
from bench.references.published import FITS
from bench.reports.columns import Column
from bench.reports.entries import LeaderboardEntry
from bench.reports.reference import REFERENCE, REFERENCE_CONDITION
from bench.reports.tables import Leaderboard

PUBLISHED = [
    *("label", "benchmark", "metric", "title", "value", "low", "high", "n_images", "published", "published_n_images"),
    *("difference", "difference_low", "difference_high", "verdict", "note", "source", "model", "image_size"),
]
EFFECTIVE = [
    *("label", "metric", "title", "value", "clean_metric", "clean_value", "expected", "effective_robustness"),
    *("effective_robustness_low", "effective_robustness_high", "slope", "intercept", "r_squared", "models", "note"),
]
LISTED_IMAGES = "robustbench"
"""The source whose figures are of listed images: they are compared on as many images alone."""
SAME_IMAGES = 0.2
"""Percentage points: on the very images of the published figure, only the rounding of kernels should differ."""
WIDER = 3.290527 / 1.959964
"""A 99.9 % interval over a 95 % one: with six figures a classifier, one in twenty would call out every third."""
Z95 = 1.959964
AGREES, DIFFERS = "agrees", "differs"


def published_table(board: Leaderboard, entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """One row per entry and figure that is published of its weights at its input size: the columns ``PUBLISHED``.

    ``value``, ``published`` and their difference are in percent. ``verdict`` is ``differs`` where the difference is
    more than sampling explains (99.9 %), or more than 0.2 points on the very images of the published figure; empty,
    with a ``note``, where the two cannot be compared.

    Args:
        board: of the entries.
        entries: with their protocols.
    """
    rows = [row for entry in entries if entry.provenance.published for row in _rows(board, entry)]
    return pd.DataFrame(rows, columns=PUBLISHED)


def _rows(board: Leaderboard, entry: LeaderboardEntry) -> Iterator[dict[str, object]]:
    for column in board.columns:
        own = _estimate(board, entry, column)
        if own is None or entry.spec.defense:
            continue
        spec = _spec(entry, column)
        figure = column.metric.published_name(spec)
        found = find_published(entry.provenance.published, figure, spec.image_size[0]) if figure else None
        if found is not None:
            yield {**_row(entry, column, own), **_compared(entry, column, own, found)}


def _spec(entry: LeaderboardEntry, column: Column) -> RunSpec:
    """Of the cell that a figure is about: the strongest, where it is about one."""
    variant = entry.benchmarks[column.benchmark]
    return variant.cells[column.strength(entry)].spec if column.metric.at_largest_strength else variant.spec


def _estimate(board: Leaderboard, entry: LeaderboardEntry, column: Column) -> Estimate | None:
    """A figure of the leaderboard, in percent; None where there is none."""
    if entry.label not in board.table.index or column.benchmark not in entry.benchmarks:
        return None
    row = board.table.loc[entry.label]
    value, low, high = (float(str(row[f"{column.name}{end}"])) for end in ("", "_low", "_high"))
    if math.isnan(value):
        return None
    scale = 100 if column.percent else 1
    return Estimate(value * scale, low * scale, high * scale, len(column.values(entry)))


def _row(entry: LeaderboardEntry, column: Column, own: Estimate) -> dict[str, object]:
    return {
        "label": entry.label,
        "benchmark": column.benchmark,
        "metric": column.name,
        "title": column.title,
        "value": own.value,
        "low": own.low,
        "high": own.high,
        "n_images": own.n,
    }


def _compared(entry: LeaderboardEntry, column: Column, own: Estimate, published: PublishedFigure) -> dict[str, object]:
    difference = own.value - published.value
    facts = {
        "published": published.value,
        "published_n_images": published.n_images,
        "source": published.source,
        "model": published.model,
        "image_size": published.image_size or "",
    }
    reason = _why_not(entry, column, own, published)
    if reason:
        return {**facts, "verdict": "", "note": reason}
    same = own.n == published.n_images
    low, high = own.low - published.value, own.high - published.value
    if same:
        differs = abs(difference) > SAME_IMAGES
        note = "on the same images"
    else:
        differs = difference - WIDER * (difference - low) > 0 or difference + WIDER * (high - difference) < 0
        note = f"on {own.n:,} of {published.n_images:,} images"
    return {
        **facts,
        "difference": difference,
        "difference_low": low,
        "difference_high": high,
        "verdict": DIFFERS if differs else AGREES,
        "note": note,
    }


def _why_not(entry: LeaderboardEntry, column: Column, own: Estimate, published: PublishedFigure) -> str:
    """Why a figure is not the same measurement as the published one; empty where it is."""
    spec = entry.benchmarks[column.benchmark].spec
    if published.source == LISTED_IMAGES:
        space = published.model.partition("/")[0]
        if spec.label_space != space:
            return f"published on {space}, measured on {spec.label_space}"
        if own.n != published.n_images:
            return f"published on {published.n_images:,} listed images, measured on {own.n:,}: see data.list"
        return ""
    if own.n > published.n_images:
        return f"more images than the {published.n_images:,} of the published figure"
    if own.n == published.n_images or (column.declared.own_images and not _of_main_images(column)):
        return ""
    return "" if _is_validation_set(entry) else "the images are not ImageNet's validation images by their names"


def _of_main_images(column: Column) -> bool:
    """Whether a benchmark on images of its own takes them from the main ones."""
    return column.declared.data_of is not Benchmark.data_of


def _is_validation_set(entry: LeaderboardEntry) -> bool:
    if not entry.has_clean:
        return False
    ids = entry.outcomes(REFERENCE.name, REFERENCE_CONDITION)["image_id"].to_numpy(dtype=str)
    return validation_numbers(ids) is not None


def warnings_of(published: pd.DataFrame) -> list[str]:
    """One sentence per entry whose figures differ from the published ones by more than sampling explains."""
    sentences = []
    for label, rows in published[published["verdict"] == DIFFERS].groupby("label", sort=False):
        named = "; ".join(
            f"{row['title']} {row['value']:.1f} instead of {row['published']:.1f}" for row in rows.to_dict("records")
        )
        sentences.append(
            f"{label}: {named} ({SOURCES[str(rows['source'].iloc[0])].title}): more than the sampling of images"
            " explains. Check crop, interpolation, normalisation and the order of classes"
            " (docs/references.md)."
        )
    return sentences


def published_effective_robustness_table(board: Leaderboard, entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """Accuracy under shift beyond what timm's published models let expect: the columns ``EFFECTIVE``.

    One row per entry and figure with a published fit. Accuracies are in [0,1]. The interval is that of the two
    accuracies; the fit itself is taken as exact.

    Args:
        board: of the entries.
        entries: with their protocols.
    """
    rows = [row for entry in entries for column in board.columns for row in _effective(board, entry, column)]
    return pd.DataFrame(rows, columns=EFFECTIVE)


def _effective(board: Leaderboard, entry: LeaderboardEntry, column: Column) -> Iterator[dict[str, object]]:
    shifted = _estimate(board, entry, column)
    figure = "" if shifted is None else column.metric.published_name(_spec(entry, column))
    if shifted is None or figure not in FITS:
        return
    clean_column = next((item for item in board.columns if _is_figure(entry, item, FITS[figure])), None)
    clean = None if clean_column is None else _estimate(board, entry, clean_column)
    fit = published_fit(figure)
    row = {
        "label": entry.label,
        "metric": column.name,
        "title": column.title,
        "value": shifted.value / 100,
        "clean_metric": FITS[figure],
        "slope": fit.slope,
        "intercept": fit.intercept,
        "r_squared": fit.r_squared,
        "models": fit.n,
    }
    if clean is None:
        yield {**row, "note": f"the clean accuracy on the same classes was not run: add {FITS[figure]}'s benchmark"}
    elif not 0 < clean.value < 100:
        yield {**row, "clean_value": clean.value / 100, "note": "a clean accuracy of 0 or 1 has no logit"}
    else:
        yield {**row, **_above(fit, clean, shifted)}


def _is_figure(entry: LeaderboardEntry, column: Column, figure: str) -> bool:
    variant = entry.benchmarks.get(column.benchmark)
    if variant is None or (column.is_of_suite_entry and not column.declared.own_images):
        return False
    return column.metric.published_name(variant.spec) == figure


def _above(fit: LogitFit, clean: Estimate, shifted: Estimate) -> dict[str, object]:
    x, y = clean.value / 100, shifted.value / 100
    expected = float(fit.predict(np.array(x)))
    # d expected / d clean, by the chain rule through both logits
    steepness = fit.slope * expected * (1 - expected) / (x * (1 - x))
    error = math.sqrt(y * (1 - y) / shifted.n + steepness**2 * x * (1 - x) / clean.n)
    return {
        "clean_value": x,
        "expected": expected,
        "effective_robustness": y - expected,
        "effective_robustness_low": y - expected - Z95 * error,
        "effective_robustness_high": y - expected + Z95 * error,
        "note": "",
    }
