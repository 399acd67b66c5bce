"""conf -> sweep -> (classifier + images) -> benchmark -> outcomes -> store -> metrics -> reports, one way only."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.library.classifiers import load, make_classifier
    from bench.library.evaluate import evaluate
    from bench.library.presets import benchmark
    from bench.library.results import IncompleteError, Results, open_results
    from bench.library.tensors import attack, attribute, corrupt

__version__ = "0.1.0"

_HOMES = {
    "IncompleteError": "bench.library.results",
    "Results": "bench.library.results",
    "attack": "bench.library.tensors",
    "attribute": "bench.library.tensors",
    "benchmark": "bench.library.presets",
    "corrupt": "bench.library.tensors",
    "evaluate": "bench.library.evaluate",
    "load": "bench.library.classifiers",
    "make_classifier": "bench.library.classifiers",
    "open_results": "bench.library.results",
}
"""Where each public name is; imported when it is first used, so that ``import bench`` alone costs nothing."""

__all__ = [
    "IncompleteError",
    "Results",
    "attack",
    "attribute",
    "benchmark",
    "corrupt",
    "evaluate",
    "load",
    "make_classifier",
    "open_results",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
