"""What the rows of a report lack: every cell that failed, stopped half-way or was never run."""

from collections.abc import Sequence

import pandas as pd

from bench.records import Condition
from bench.reports.subjects import Subject

COLUMNS = [
    *["label", "classifier", "weights_digest", "benchmark", "condition", "strength", "words"],
    *["state", "n_stored", "error"],
]


def missing_cells(subjects: Sequence[Subject]) -> pd.DataFrame:
    """One row a cell that its protocol calls for and that is not complete.

    ``state`` is ``failed`` (``error`` says how), ``incomplete`` (some images have outcomes) or ``not run``.
    """
    rows = [
        {
            "label": subject.label,
            "classifier": subject.spec.classifier,
            "weights_digest": subject.spec.weights_digest,
            "benchmark": benchmark,
            "condition": condition.name,
            "strength": condition.strength,
            "words": words,
            **_state(subject, benchmark, condition),
        }
        for subject in subjects
        for benchmark, conditions in subject.expected.items()
        for condition, words in sorted(conditions.items())
        if not subject.complete(benchmark, condition)
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
        told = {"failed": f"failed: {error}", "incomplete": "stopped half-way", "not run": "not run"}[str(state)]
        sentences.append((str(label), f"{benchmark}, {named}: {told}"))
    return sentences


def _state(subject: Subject, benchmark: str, condition: Condition) -> dict[str, object]:
    variant = subject.benchmarks.get(benchmark)
    cell = variant.cells.get(condition) if variant else None
    if cell is None:
        return {"state": "not run", "n_stored": 0, "error": ""}
    if cell.failures:
        return {"state": "failed", "n_stored": cell.n_stored, "error": cell.failures[0].error}
    return {"state": "incomplete", "n_stored": cell.n_stored, "error": ""}
