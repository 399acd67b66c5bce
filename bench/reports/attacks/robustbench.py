"""``exports=[robustbench]``: a model file in RobustBench's JSON format for every row that AutoAttack was run on."""

import json
import re

import numpy as np

from bench import __version__
from bench.benchmarks.attack import Attack
from bench.reports.columns import Column
from bench.reports.entries import LeaderboardEntry
from bench.reports.exports import Exported, register_export


@register_export("robustbench")
def robustbench_files(source: Exported) -> dict[str, bytes]:
    """``robustbench/<row>_<attack>.json``: what was measured; what only the authors know is left empty."""
    files = {}
    for entry in source.entries:
        for column in source.board.columns:
            if column.declared is not Attack or column.benchmark not in entry.benchmarks or not entry.has_clean:
                continue
            attack = column.metric.published_name(entry.benchmarks[column.benchmark].cells[column.strength(entry)].spec)
            if attack:  # AutoAttack as its authors run it
                name = re.sub(r"[^A-Za-z0-9_.-]+", "_", f"{entry.label}_{attack}").strip("._")
                files[f"robustbench/{name}.json"] = _model_file(entry, column, attack)
    return files


def _model_file(entry: LeaderboardEntry, column: Column, attack: str) -> bytes:
    """The fields of RobustBench's ``model_info``; accuracies are in percent, with two digits, as text."""
    clean, robust = (float(np.mean(hits)) for hits in (entry.clean(), column.values(entry)))
    content = {
        "link": "",
        "name": "",
        "authors": "",
        "additional_data": None,
        "number_forward_passes": 1,
        "dataset": entry.spec.label_space,
        "venue": "",
        "architecture": entry.spec.classifier,
        "eps": attack.split("_")[2],
        "clean_acc": f"{100 * clean:.2f}",
        "reported": "",
        "autoattack_acc": f"{100 * robust:.2f}",
        "unreliable": False,
        "footnote": f"{entry.spec.n_images:,} images of {entry.spec.dataset} (digest {entry.spec.dataset_digest});"
        f" weights {entry.spec.weights_digest}; measured with Snowwolf {__version__}",
    }
    return (json.dumps(content, indent=2) + "\n").encode()
