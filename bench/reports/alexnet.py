"""Where AlexNet's errors may normalise ours: on ImageNet's classes, corrupted as in ImageNet-C, at 224 pixels."""

from bench.errors import DataError
from bench.records import RunSpec
from bench.reports.subjects import Subject

SPACE, N_CLASSES, SIZE = "imagenet", 1000, "224x224"
"""What AlexNet was measured on (Hendrycks & Dietterich 2019)."""
INSTEAD = "the mean corruption accuracy needs no normaliser"


def check_alexnet_applies(subject: Subject) -> None:
    """Refuse to divide the errors of a row's benchmark ``corruption`` by AlexNet's where these mean nothing.

    Raises:
        DataError: saying why; or the benchmark was not run.
    """
    variant = subject.benchmarks.get("corruption")
    if variant is None:
        raise DataError("corruption was not run")
    reason = _why_not(next(iter(variant.cells.values())).spec)
    if reason:
        raise DataError(f"AlexNet's errors normalise ImageNet-C only, and {reason}: {INSTEAD}")


def alexnet_applies(subject: Subject) -> bool:
    """Whether ``check_alexnet_applies`` lets the row pass."""
    try:
        check_alexnet_applies(subject)
    except DataError:
        return False
    return True


def _why_not(spec: RunSpec) -> str:
    """What is different from how AlexNet was measured, in words; empty where nothing is."""
    if (spec.label_space, spec.n_classes) != (SPACE, N_CLASSES):
        space = "" if spec.label_space.endswith(" classes") else f" of {spec.label_space}"
        return f"these decisions are among {spec.n_classes:,} classes{space}"
    if spec.parameters.get("definition") == "cifar10_c":
        return "these images are corrupted as those of CIFAR-10-C"
    size = spec.crop.partition("-")[0]
    if spec.parameters.get("protocol") == "native" and size != SIZE:
        return f"these images are corrupted at {size} pixels"
    return ""
