"""A store of analytic outcomes: whoever is right on the first ``n`` images of each cell."""

from dataclasses import replace

import numpy as np
import pytest

from bench.records import Condition, Outcomes

FGSM = {"attack": "fgsm", "norm": "linf", "minimal_norm": False, "target": "", "options": {}}


@pytest.fixture
def write_cells(make_spec, provenance):
    """Write cells of one classifier: benchmark -> {strength: images right}, on ``n`` images."""

    def write(store, classifier, plan, *, n=5000, date="2026-01-01T00:00:00+00:00", **changes):
        labels = np.arange(n) % 7
        ids = np.array([f"image_{i}" for i in range(n)])
        for benchmark, cells in plan.items():
            for strength, right in cells.items():
                correct = right if isinstance(right, np.ndarray) else np.arange(n) < right
                is_attack = benchmark == "fgsm"
                extra = {
                    "distance": np.full(n, float(strength)),
                    "success": ~correct,
                    "queries": np.ones(n, dtype=np.int64),
                    "zero_gradient": np.zeros(n, dtype=np.float32),
                    "stage": np.where(correct, "", "attack"),
                }
                spec = make_spec(
                    classifier=classifier,
                    n_images=n,
                    benchmark=benchmark,
                    condition=Condition(benchmark, strength),
                    parameters=FGSM if is_attack else {},
                    **changes,
                )
                predictions = np.where(correct, labels, labels + 1)
                columns = extra if is_attack else {}
                outcomes = Outcomes(ids, labels, predictions, np.full(n, 0.5, np.float32), columns)
                store.write_part(spec, outcomes, 0, replace(provenance, started=date))

    return write
