"""What a sweep costs beside the same sweep done in the usual way: budgets, classifiers side by side, decoding.

``python -m perf.budget``: both sides of each ratio run in turns within a round; a figure is the median over the rounds.
"""

import argparse
import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from bench.benchmarks.clean import Clean
from bench.benchmarks.corruption import Corruption
from bench.benchmarks.protocol import IMAGENET_C_CROP
from bench.configs import BudgetConfig, DataConfig, RuntimeConfig
from bench.data import Dataset, load_dataset
from bench.data.decoding import decode_all
from bench.models import ModelConfig, load_classifier
from bench.results import Store
from bench.sweep.evaluate import Subject, run_suites
from bench.sweep.images import decoding_workers
from bench.sweep.job import open_suite
from perf.sweep import print_ratios, seconds

MODELS = ("lite0", "lite1", "lite2")
Pairs = list[tuple[float, float]]


def subjects(names: tuple[str, ...], runtime: RuntimeConfig) -> list[Subject]:
    """Packaged classifiers with the clean images and the 75 corruptions of the embedded images."""
    data = DataConfig(name="samples", source="samples")
    found = []
    for name in names:
        classifier = load_classifier(ModelConfig(name=name))
        suite = {"clean": (Clean(), data), "corruption": (Corruption(), data)}
        found.append(Subject(classifier, open_suite(suite, classifier, runtime)))
    return found


def run(chosen: list[Subject], runtime: RuntimeConfig, budget: BudgetConfig | None = None) -> None:
    """Take them through their suite, in a store of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for name, done in run_suites(chosen, Store(folder), runtime=runtime, seed=0, budget=budget).items():
            assert not done.n_missing, (name, done.error, done.failed)


def side_by_side(runtime: RuntimeConfig, rounds: int) -> Pairs:
    """Seconds of three classifiers in one job, and of one job for each."""
    several = subjects(MODELS, runtime)

    def one_by_one() -> None:
        for subject in several:
            run([subject], runtime)

    return [(seconds(lambda: run(several, runtime)), seconds(one_by_one)) for _ in range(rounds)]


def budgeted(runtime: RuntimeConfig, rounds: int) -> Pairs:
    """Seconds of a quarter of the forward passes, and of all of them."""
    several = subjects(MODELS[:1], runtime)
    quarter = BudgetConfig(forwards=76 * 20 // 4)
    return [
        (seconds(lambda: run(several, runtime, quarter)), seconds(lambda: run(several, runtime))) for _ in range(rounds)
    ]


def decoding(rounds: int) -> Pairs:
    """Seconds to decode and crop 960 photographs with the automatic number of workers, and in this process alone."""
    many = copied_photographs(960)

    def decode(workers: int) -> Callable[[], object]:
        return lambda: sum(1 for _ in decode_all(many, IMAGENET_C_CROP, workers=workers))

    return [(seconds(decode(decoding_workers(len(many)))), seconds(decode(0))) for _ in range(rounds)]


def copied_photographs(count: int) -> Dataset:
    """The embedded images again and again, at the side of 500 pixels that most of ImageNet's have."""
    embedded = load_dataset(DataConfig(name="samples", source="samples"))
    copies = -(-count // len(embedded))
    names = [f"{copy}/{name}" for copy in range(copies) for name in embedded.image_ids]
    return Dataset(
        name="copies",
        image_ids=tuple(names[:count]),
        labels=np.tile(embedded.labels, copies)[:count],
        label_space=embedded.label_space,
        read_bytes=_Photographs([_enlarged(embedded.read_bytes(row)) for row in range(len(embedded))]),
        fingerprint=f"{count} copies",
    )


def _enlarged(encoded: bytes) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(encoded)).convert("RGB").resize((500, 375)).save(file, "JPEG", quality=95)
    return file.getvalue()


class _Photographs:
    def __init__(self, encoded: list[bytes]) -> None:
        self.encoded = encoded

    def __call__(self, position: int) -> bytes:
        return self.encoded[position % len(self.encoded)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        runtime = RuntimeConfig(device="cpu", cache_dir=str(Path(folder) / "crops"))
        pairs = {
            "three classifiers in one job | a job for each": side_by_side(runtime, rounds),
            "a quarter of the forward passes | all, 76 conditions": budgeted(runtime, rounds),
            "decode 960 photographs, one worker per core | one process": decoding(3 * rounds),
        }
    measured = {what: list(zip(*seconds_of_both, strict=True)) for what, seconds_of_both in pairs.items()}
    print_ratios("The cost of a sweep", measured, rounds)


if __name__ == "__main__":
    main()
