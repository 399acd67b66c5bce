"""What is refused before any work, by the command and by ``bench.evaluate`` alike."""

from dataclasses import dataclass

from bench.benchmarks import Benchmark
from bench.benchmarks.registry import check_registered
from bench.data import DataConfig, LabelSpace, check_data, check_labels, label_kind_of
from bench.errors import ConfigurationError

ADVICE = {
    "categories": ": data.source=categories reads folders of the 16 categories",
    "sets": ": data.source=unlabelled reads images that show no class, in one folder per set",
}
"""What to say to somebody with images of another kind, by what they must be labelled with."""


@dataclass(frozen=True)
class Examined:
    """What checks need to know of a classifier."""

    name: str
    """For messages."""
    label_space: LabelSpace
    """What its logit columns mean."""
    has_gradient: bool
    """Whether it can be differentiated, and not run forward alone."""


def check_benchmark(entry: str, benchmark: Benchmark, classifier: Examined, data: DataConfig | None) -> None:
    """Refuse a benchmark that cannot run on these images with this classifier.

    Args:
        entry: what the suite calls it, for messages.
        benchmark: what is to run.
        classifier: what is examined.
        data: its images; None for images from Python, which are labelled with classes.

    Raises:
        ConfigurationError: parameters, conditions, classes or labels that do not fit, or a gradient that is missing.
    """
    check_registered(type(benchmark), entry)
    benchmark.check()
    benchmark.check_conditions(entry)
    benchmark.check_classifier(classifier.label_space)
    if not classifier.has_gradient:
        benchmark.check_without_gradient(classifier.name)
    kind = "classes" if data is None else label_kind_of(data)
    if benchmark.label_kind != kind:
        raise ConfigurationError(
            f"benchmark {entry!r} needs images labelled with {benchmark.label_kind}, and these are labelled with"
            f" {kind}{ADVICE.get(benchmark.label_kind, '')}"
        )


def check_images(data: DataConfig, classifier: LabelSpace) -> None:
    """Refuse images that are not there, or whose classes do not fit the classifier's.

    Args:
        data: which images.
        classifier: what the classifier's logit columns mean.

    Raises:
        ConfigurationError: a wrong setting, or classes that do not fit.
        DataError: an empty or damaged data set.
    """
    check_data(data)
    check_labels(data, classifier)
