"""``bench.evaluate``: classifiers on images under benchmarks, from Python, without a configuration."""

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from bench.benchmarks import Benchmark
from bench.configs import BudgetConfig, RuntimeConfig
from bench.data import CropRecipe, DataConfig, Dataset
from bench.errors import ConfigurationError, DataError, nearest_names
from bench.library.classifiers import as_classifiers
from bench.library.images import Images, as_images
from bench.library.presets import Entry, names_of, preset_benchmark, preset_suite
from bench.library.results import IncompleteError, Results, temporary_results
from bench.models import DEFENSES, Classifier, Defense, has_gradient
from bench.plugins import load_plugins
from bench.records import SEED_LIMIT
from bench.reports.chance import cell_warnings
from bench.results import Store
from bench.sweep.checks import Examined, check_benchmark, check_images
from bench.sweep.evaluate import Subject, run_suites, set_threads
from bench.sweep.job import open_suite
from bench.sweep.part import SuiteRun
from bench.sweep.ranked import run_until_ranked
from bench.sweep.sampling import Sizes
from bench.sweep.settings import auxiliary_entries

logger = logging.getLogger(__name__)
PUBLISHED_SIDES = (32, 224)
"""Of the base images of CIFAR-10-C and ImageNet-C."""

AnyBenchmark = str | Benchmark
Chosen = Mapping[str, tuple[Benchmark, DataConfig | None]]
"""Entry -> benchmark and its images; None for images that come from Python."""


def evaluate(
    model: Any,
    images: Any,
    benchmarks: AnyBenchmark | Sequence[AnyBenchmark] | Mapping[str, AnyBenchmark] | None = None,
    *,
    suite: str | None = None,
    shifts: str | None = None,
    store: str | None = None,
    name: str | None = None,
    limit: int | None = None,
    budget: int | None = None,
    half_width: float | Mapping[str, float] | None = None,
    until: str | None = None,
    indifference: float = 1.0,
    seed: int = 0,
    defense: str | Defense | None = None,
    device: str = "auto",
    batch_size: int | None = None,
    workers: int | None = None,
    threads: int | None = None,
    cache_dir: str | None = None,
    **network_settings: Any,
) -> Results:
    """Take classifiers through benchmarks and keep every image's outcome.

    What the store holds already is not computed again: the same call goes on after an interruption. Several
    classifiers run side by side, and images that all of them are shown are read and corrupted once.

    Args:
        model: a name (``"resnet50.a1_in1k"``), a ``torch.nn.Module``, a ``Classifier``, or a list of them.
        images: a folder or file (class folders, flat ImageNet, a CSV list, ...), a data name (``"samples"``), a pair of
            images ``(N,3,H,W)`` (uint8, or floats in [0,1]) and labels ``(N,)``, or a map-style torch data set of
            ``(image, label)``.
        benchmarks: names (``"clean"``, ``"corruption"``, ``"pgd"``), objects of ``bench.benchmarks``, or a mapping from
            the name a report shall use to one of these.
        suite: the benchmarks of ``conf/suite``, such as ``"quickstart"``, instead of ``benchmarks``.
        shifts: a folder of published image sets (ImageNet-V2, -A, -R, ...), for ``suite="natural_shift"``.
        store: a folder or fsspec URL that outcomes are added to; left out, a temporary one that lives as long as the
            results.
        name: what reports call the images.
        limit: so many of the images, as many of each class.
        budget: forward passes per classifier that the call may cost in all, roughly; left out, all images are shown
            under every condition. What a call computed is kept by a later one with a larger budget, or with none.
        half_width: show images until the 95 % interval of every benchmark's first figure is at most so many points
            (percent, or mCE) to either side; or a mapping from names of benchmarks to points.
        until: ``"ranked"``: show images until every two of the classifiers are told apart in every benchmark's first
            figure, or are known to differ by less than ``indifference``. The verdicts are in the log, and hold however
            many rounds that takes.
        indifference: points below which two classifiers count as alike.
        seed: of all random draws, from 0 and below 2**63.
        defense: what stands in front of every classifier: a name or an object of ``bench.models.DEFENSES``.
        device: ``auto`` (CUDA, else MPS, else CPU) or a torch device.
        batch_size: images per step; found automatically when left out.
        workers: processes that read images; 0 (none) for images that come from Python, automatic for others.
        threads: torch's threads; left as they are when left out.
        cache_dir: where decoded crops are kept.
        **network_settings: of ``bench.make_classifier``, for networks: ``mean``, ``std``, ``input_size``,
            ``transform``, ``class_names``. Without any, a network takes pixels in [0,1] at the size of the tensors.

    Returns:
        The results of everything in the store.

    Raises:
        ConfigurationError: something that cannot be run; nothing was computed.
        DataError: images or labels that cannot be used.
        IncompleteError: some cells failed; all else is stored, and the error's ``results`` hold it.
    """
    load_plugins()
    shown = as_images(images, name=name, limit=limit)
    classifiers = as_classifiers(model, shown.size, **network_settings)
    entries = _entries(benchmarks, suite, shown, shifts)
    runtime = _runtime(shown, device, batch_size, workers, threads, cache_dir)
    chosen_defense = _defense(defense)
    limits = _budget(budget, half_width, until, indifference)
    limits.check_classifiers(len(classifiers))
    if not 0 <= seed < SEED_LIMIT:
        raise ConfigurationError(f"seed={seed}: give a whole number from 0 and below 2**63")
    classifiers = [_for_images(classifier, shown) for classifier in classifiers]
    chosen = {name: (entry.benchmark, _images_of(entry, shown.data)) for name, entry in entries.items()}
    for classifier in classifiers:
        _check(classifier, chosen, shown)
    results = temporary_results() if store is None else Results(Store(store))
    results.store.files.check_place()
    set_threads(runtime)
    auxiliary = auxiliary_entries({name: data for name, (_, data) in chosen.items()}, shown.data)

    subjects = [
        Subject(classifier, open_suite(_with_images(chosen, shown, classifier), classifier, runtime))
        for classifier in classifiers
    ]

    def run(sizes: Mapping[str, Sizes] | None = None) -> dict[str, SuiteRun]:
        return run_suites(
            subjects,
            results.store,
            runtime=runtime,
            seed=seed,
            defense=chosen_defense,
            auxiliary=auxiliary,
            command="bench.evaluate",
            budget=limits if until is None else None,
            sizes=sizes,
        )

    if until is None:
        runs = run()
    else:
        names = [classifier.name for classifier in classifiers]
        runs = run_until_ranked(names, list(chosen), run, results.store, indifference=indifference)
    _report_problems(runs, results)
    return results


def _entries(
    benchmarks: AnyBenchmark | Sequence[AnyBenchmark] | Mapping[str, AnyBenchmark] | None,
    suite: str | None,
    images: Images,
    shifts: str | None,
) -> dict[str, Entry]:
    if (benchmarks is None) == (suite is None):
        raise ConfigurationError(
            'give benchmarks, such as ["clean", "corruption"], or suite="quickstart", and not both; benchmarks:'
            f" {', '.join(names_of('benchmark'))}; suites: {', '.join(names_of('suite'))}"
        )
    if suite is not None:
        return {entry: _fitting(found, images) for entry, found in preset_suite(suite, images.data, shifts).items()}
    if isinstance(benchmarks, Mapping):
        named = dict(benchmarks)
    else:
        listed = [benchmarks] if isinstance(benchmarks, str | Benchmark) else list(benchmarks or ())
        named = {item if isinstance(item, str) else _entry_name(item): item for item in listed}
        if len(named) < len(listed):
            raise ConfigurationError("a benchmark is listed twice: give a mapping from different names to them")
    if not named:
        raise ConfigurationError("no benchmark was given")
    return {str(entry): _entry(item, images) for entry, item in named.items()}


def _entry_name(benchmark: Any) -> str:
    if isinstance(benchmark, Benchmark):
        return benchmark.default_entry
    raise ConfigurationError(f"a benchmark is a name or an object of bench.benchmarks, not {benchmark!r}")


def _entry(item: AnyBenchmark, images: Images) -> Entry:
    if isinstance(item, str):
        return _fitting(preset_benchmark(item, images.data), images)
    if isinstance(item, Benchmark):
        return Entry(item)
    raise ConfigurationError(f"a benchmark is a name or an object of bench.benchmarks, not {item!r}")


def _fitting(entry: Entry, images: Images) -> Entry:
    """Crops of other sizes than the published base images have no published protocol: theirs is the native one."""
    if images.size is None or images.size in [(side, side) for side in PUBLISHED_SIDES]:
        return entry
    if "protocol" not in {field.name for field in fields(entry.benchmark)}:  # type: ignore[arg-type]
        return entry
    height, width = images.size
    logger.info("%s: protocol=native, as images of %d x %d pixels have no other", entry.benchmark.name, height, width)
    return replace(entry, benchmark=replace(entry.benchmark, protocol="native"))  # type: ignore[type-var]


def _runtime(
    images: Images,
    device: str,
    batch_size: int | None,
    workers: int | None,
    threads: int | None,
    cache_dir: str | None,
) -> RuntimeConfig:
    own = images.data is None  # may not be picklable, and lies in memory in most cases
    runtime = RuntimeConfig(
        device=device, batch_size=batch_size, workers=0 if own and workers is None else workers, threads=threads
    )
    if cache_dir is not None:
        runtime.cache_dir = cache_dir
    runtime.check()
    return runtime


def _budget(
    forwards: int | None, half_width: float | Mapping[str, float] | None, until: str | None, indifference: float
) -> BudgetConfig:
    some = half_width if isinstance(half_width, Mapping) else {}
    return BudgetConfig(
        forwards=forwards,
        half_width=None if isinstance(half_width, Mapping) else half_width,
        half_widths={str(name): float(width) for name, width in some.items()},
        until=until,
        indifference=indifference,
    )


def _defense(defense: str | Defense | None) -> Defense | None:
    if not isinstance(defense, str):
        return defense
    if defense not in DEFENSES:
        raise ConfigurationError(f"unknown defense {defense!r}: {nearest_names(defense, DEFENSES)}")
    return DEFENSES[defense]()


def _for_images(classifier: Classifier, images: Images) -> Classifier:
    """The classifier with the crop that it is shown these images at."""
    crop: CropRecipe = images.crop(classifier.crop)
    if crop == classifier.crop:
        return classifier
    twin = copy.copy(classifier)
    twin.crop = crop
    return twin


def _images_of(entry: Entry, main: DataConfig | None) -> DataConfig | None:
    """The benchmark's own images, or the main ones; None where those come from Python."""
    if entry.data is not None or main is None:
        return entry.data
    if entry.settings is not None and entry.settings.source != "categories":
        return replace(entry.settings, root=main.root, name=main.name or entry.settings.name, limit=main.limit)
    if entry.benchmark.data_of(main) is not main:
        return entry.benchmark.data_of(main)
    if main.source == "folder" and entry.benchmark.label_kind == "categories":
        return replace(main, source="categories")  # a folder of the 16 categories, since the benchmark needs those
    return main


def _check(classifier: Classifier, chosen: Chosen, images: Images) -> None:
    """Refuse, before any work, what cannot be run."""
    seen = Examined(classifier.name, classifier.label_space, has_gradient(classifier))
    for name, (benchmark, data) in chosen.items():
        check_benchmark(name, benchmark, seen, data)
        if data is None:
            main = DataConfig()
            if benchmark.data_of(main) is not main:
                raise ConfigurationError(f"{name} reads some classes of the main images: give a folder of images")
            images.labelled_for(classifier.label_space)
            continue
        try:
            check_images(data, classifier.label_space)
        except (ConfigurationError, DataError) as error:
            raise type(error)(f"{name}: {error}") from error


def _with_images(
    chosen: Chosen, images: Images, classifier: Classifier
) -> dict[str, tuple[Benchmark, DataConfig | Dataset]]:
    return {
        name: (benchmark, data or images.labelled_for(classifier.label_space))
        for name, (benchmark, data) in chosen.items()
    }


def _report_problems(runs: Mapping[str, SuiteRun], results: Results) -> None:
    for name, run in runs.items():
        for warning in cell_warnings([cell.spec for cell in run.cells], results.store):
            logger.warning("%s: %s", name, warning)
    lines = [
        f"{run.n_missing} of {len(run.cells)} cells of {name} ({_first_reason(run)})"
        for name, run in runs.items()
        if run.n_missing or run.error
    ]
    if lines:
        raise IncompleteError(
            f"missing: {'; '.join(lines)}. All else is in {results.store.root}; the same call tries these again",
            results,
        )


def _first_reason(run: SuiteRun) -> str:
    if run.error:
        return run.error
    cell, reason = next(iter(run.failed.items()))
    return f"{cell}: {reason}"
