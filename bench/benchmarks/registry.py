"""Every benchmark by the name that stored cells give: those of this package, and those of plug-ins."""

from collections.abc import Iterator
from importlib import import_module

from bench.benchmarks.base import Benchmark
from bench.errors import ConfigurationError, nearest_names

BUILT_IN = {
    "clean": "bench.benchmarks.clean:Clean",
    "corruption": "bench.benchmarks.corruption:Corruption",
    "attack": "bench.benchmarks.attack:Attack",
    "stability": "bench.benchmarks.stability:Stability",
    "shift_consistency": "bench.benchmarks.shift_consistency:ShiftConsistency",
    "corruption_bar": "bench.benchmarks.corruption_bar:CorruptionBar",
    "cue_conflict": "bench.benchmarks.cue_conflict:CueConflict",
    "cam_audit": "bench.benchmarks.cam_audit:CamAudit",
    "sixteen_way": "bench.benchmarks.sixteen_way:SixteenWay",
    "parametric": "bench.benchmarks.parametric:Parametric",
    "reliance": "bench.benchmarks.reliance:Reliance",
    "transfer": "bench.benchmarks.transfer:Transfer",
    "shortcut": "bench.benchmarks.shortcut:Shortcut",
    "faithfulness": "bench.benchmarks.faithfulness:Faithfulness",
    "trust_scores": "bench.benchmarks.trust_scores:TrustScores",
    "trust_scores_corrupted": "bench.benchmarks.trust_scores_corrupted:TrustScoresCorrupted",
    "ood": "bench.benchmarks.ood:Ood",
    "imagenet_o": "bench.benchmarks.imagenet_o:ImageNetO",
    "imagenet_o_clean": "bench.benchmarks.imagenet_o:ImageNetOClean",
    "imagenet_v2": "bench.benchmarks.natural_shifts:ImageNetV2",
    "imagenet_v2_threshold": "bench.benchmarks.natural_shifts:ImageNetV2Threshold",
    "imagenet_v2_top_images": "bench.benchmarks.natural_shifts:ImageNetV2TopImages",
    "imagenet_sketch": "bench.benchmarks.natural_shifts:ImageNetSketch",
    "imagenet_a": "bench.benchmarks.natural_shifts:ImageNetA",
    "imagenet_a_clean": "bench.benchmarks.natural_shifts:ImageNetAClean",
    "imagenet_r": "bench.benchmarks.natural_shifts:ImageNetR",
    "imagenet_r_clean": "bench.benchmarks.natural_shifts:ImageNetRClean",
    "imagenet_hard": "bench.benchmarks.natural_shifts:ImageNetHard",
    "objectnet": "bench.benchmarks.coarse_sets:ObjectNet",
    "imagenet_9": "bench.benchmarks.coarse_sets:ImageNet9",
    "imagenet_d": "bench.benchmarks.coarse_sets:ImageNetD",
    "laion_c": "bench.benchmarks.coarse_sets:LaionC",
    "imagenet_3dcc": "bench.benchmarks.corruptions_3d:Corruptions3D",
    "imagenet_w": "bench.benchmarks.imagenet_w:ImageNetW",
}
"""Name -> module and class, imported when they are asked for; in the order of the leaderboard's columns."""

_plugged: dict[str, type[Benchmark]] = {}


def register_benchmark(cls: type[Benchmark]) -> type[Benchmark]:
    """Make a plug-in's benchmark known; usable as a decorator of its class.

    Raises:
        ConfigurationError: it declares no name or version, or another benchmark has its name.
    """
    lacking = [name for name in ("name", "version", "strength_unit") if not hasattr(cls, name)]
    if lacking:
        raise ConfigurationError(f"benchmark {cls.__qualname__} declares no {', '.join(lacking)}")
    other = _plugged.get(cls.name)
    if cls.name in BUILT_IN or (other is not None and _place(other) != _place(cls)):
        where = BUILT_IN.get(cls.name) or _place(other or cls)
        raise ConfigurationError(f"two benchmarks are called {cls.name!r}: {where} and {_place(cls)}; rename one")
    _plugged[cls.name] = cls
    return cls


def is_known(name: str) -> bool:
    """Whether a benchmark of that name is installed here."""
    return name in BUILT_IN or name in _plugged


def check_registered(cls: type[Benchmark], entry: str) -> None:
    """Refuse a benchmark that no report would find by its name.

    Args:
        cls: its class.
        entry: what the suite calls it, for messages.

    Raises:
        ConfigurationError: it is not registered.
    """
    if not is_known(cls.name) or benchmark_class(cls.name) is not cls:
        raise ConfigurationError(
            f"benchmark {entry!r}: {cls.__name__} is not registered, so no report would know its figures: decorate the"
            " class with bench.benchmarks.register_benchmark, and name its file with plugins=[FILE]"
        )


def benchmark_class(name: str) -> type[Benchmark]:
    """The benchmark that stored cells call ``name``.

    Raises:
        ConfigurationError: there is none here, with the nearest names.
    """
    if name in _plugged:
        return _plugged[name]
    if name not in BUILT_IN:
        known = [*BUILT_IN, *_plugged]
        raise ConfigurationError(
            f"unknown benchmark {name!r}: {nearest_names(name, known)} A plug-in's file is named with plugins=[FILE]"
        )
    module, _, attribute = BUILT_IN[name].partition(":")
    cls: type[Benchmark] = getattr(import_module(module), attribute)
    return cls


def all_benchmarks() -> Iterator[type[Benchmark]]:
    """Every benchmark: those of this package in the order of the leaderboard, then those of plug-ins by name."""
    for name in (*BUILT_IN, *sorted(_plugged)):
        yield benchmark_class(name)


def plugged_benchmarks() -> tuple[type[Benchmark], ...]:
    """Those of plug-ins, by name."""
    return tuple(_plugged[name] for name in sorted(_plugged))


def _place(cls: type[Benchmark]) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"
