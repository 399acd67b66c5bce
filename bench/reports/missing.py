"""The missing cells of a report: those that failed, are incomplete, or were never run."""

from collections.abc import Sequence

import pandas as pd

from bench.records import Condition
from bench.reports.entries import LeaderboardEntry

COLUMNS = [
    *["label", "classifier", "weights_digest", "benchmark", "condition", "strength", "words"],
    *["state", "n_stored", "error"],
]


def missing_cells(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """One row per cell that the protocol calls for and that is not complete.

    ``state`` is ``failed`` (``error`` says how), ``incomplete`` (some images have outcomes) or ``not run``.
    """
    rows = [
        {
            "label": entry.label,
            "classifier": entry.spec.classifier,
            "weights_digest": entry.spec.weights_digest,
            "benchmark": benchmark,
            "condition": condition.name,
            "strength": condition.strength,
            "words": words,
            **_state(entry, benchmark, condition),
        }
        for entry in entries
        for benchmark, conditions in entry.expected.items()
        for condition, words in sorted(conditions.items())
        if not entry.has(benchmark, condition)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def missing_sentences(cells: pd.DataFrame) -> list[tuple[str, str]]:
    """The rows of ``missing_cells`` as (label, sentence), those of one benchmark and cause in one sentence."""
    sentences = []
    for (label, benchmark, state, error), rows in cells.groupby(
        ["label", "benchmark", "state", "error"], sort=False, dropna=False
    ):
        conditions = [str(words) for words in rows["words"]]
        named = ", ".join(conditions[:4]) + (f" and {len(conditions) - 4} more" if len(conditions) > 4 else "")
        words = {"failed": f"failed: {error}", "incomplete": "stopped half-way", "not run": "not run"}[str(state)]
        sentences.append((str(label), f"{benchmark}, {named}: {words}"))
    return sentences


def _state(entry: LeaderboardEntry, benchmark: str, condition: Condition) -> dict[str, object]:
    variant = entry.benchmarks.get(benchmark)
    cell = variant.cells.get(condition) if variant else None
    if cell is None:
        return {"state": "not run", "n_stored": 0, "error": ""}
    if cell.failures:
        return {"state": "failed", "n_stored": cell.n_stored, "error": cell.failures[0].error}
    return {"state": "incomplete", "n_stored": cell.n_stored, "error": ""}
