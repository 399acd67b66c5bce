"""Everything that only a card can show, in one report: ``make gpu-check`` (about ten minutes).

The CUDA tests, how far CPU and GPU agree, images per second of every corruption and attack beside what
`perf.device_costs` lets one expect of this card, and two GPUs against one where there are two. The report is Markdown,
to be pasted into an issue; a part that did not run says so.
"""

import argparse
import copy
import json
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.attacks import AttackSpec, run_attack
from bench.benchmarks.corruption import Corruption
from bench.configs import RuntimeConfig
from bench.corruptions.batched import BATCHED, corrupt
from bench.imaging.division import bytes_to_pixels
from bench.models import ModelConfig, load_classifier, numerics
from bench.models.fast import prepare_fast
from bench.records import Condition
from bench.results import Store
from bench.sweep.evaluate import Subject, run_suites
from bench.sweep.job import open_suite
from perf.budget import copied_photographs
from perf.corruptions import photographs

SWEPT = ("resnet50", "convnext_tiny", "vit_small_patch16_224", "regnety_032")
COSTS = Path(__file__).with_name("device_costs.json")
BATCH, SEVERITY = 256, 3
ATTACKS = {
    "fgsm": (AttackSpec("fgsm"), 1 / 255, 256),
    "pgd_linf, 10 steps": (AttackSpec("pgd_linf", {"steps": 10}), 1 / 255, 256),
    "pgd_l2, 10 steps": (AttackSpec("pgd_l2", {"steps": 10}), 0.1, 256),
    "square, 50 queries": (AttackSpec("square", {"queries": 50}), 1 / 255, 256),
    "one_pixel, 40 x 10": (AttackSpec("one_pixel", {"population": 40, "generations": 10}), 1, 64),
}
"""The attack, epsilon and how many images: most survive, so that the work is the same everywhere."""


def main() -> int:
    """Write the report; 1 where a CUDA test failed or a part could not run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("reports/gpu-check.md"))
    parser.add_argument("--without-tests", action="store_true", help="leave out the CUDA tests")
    parser.add_argument("--only", help="a word of the titles of the parts to run")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("gpu-check needs a CUDA device: torch finds none here", file=sys.stderr)
        return 2
    parts: list[tuple[str, Callable[[], Iterable[str]]]] = [
        ("Machine", machine),
        ("Corruptions: agreement and speed", corruptions),
        ("Attacks: agreement and speed", attacks),
        ("Whole sweeps", sweeps),
        ("Two GPUs", two_gpus),
    ]
    if not arguments.without_tests:
        parts.insert(1, ("CUDA tests", cuda_tests))
    if arguments.only:
        parts = [part for part in parts if arguments.only.lower() in part[0].lower()]
    lines, failed = ["# gpu-check", ""], False
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    for title, part in parts:
        lines += [f"## {title}", ""]
        began = time.perf_counter()
        try:
            for line in part():
                lines.append(line)
                failed |= line.startswith("FAILED")
        except Exception:  # the other parts are of use by themselves
            failed = True
            lines += ["DID NOT RUN TO ITS END:", "", "```", traceback.format_exc().rstrip(), "```"]
        lines += ["", f"({time.perf_counter() - began:.0f} s)", ""]
        arguments.out.write_text("\n".join(lines))
        print(f"{title}: {time.perf_counter() - began:.0f} s", flush=True)
    print(arguments.out.read_text())
    return int(failed)


def machine() -> Iterator[str]:
    """The card, the software, and its two speeds."""
    properties = torch.cuda.get_device_properties(0)
    yield f"- {torch.cuda.device_count()} x {properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    yield f"- torch {torch.__version__}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
    yield f"- a copy moves {bandwidth() / 1e12:.2f} TB/s; Python launches an operation in {launch_cost() * 1e6:.1f} us"


def bandwidth() -> float:
    """Bytes per second read and written by a copy on the device."""
    source = torch.empty(2**28, dtype=torch.float32, device="cuda")
    target = torch.empty_like(source)
    return 2 * source.nbytes / seconds(lambda: target.copy_(source))


def launch_cost() -> float:
    """Seconds until the next operation may be launched, on a tensor that costs nothing."""
    small = torch.zeros(1, device="cuda")

    def many() -> None:
        for _ in range(1000):
            small.add_(1)

    return seconds(many) / 1000


def seconds(run: Callable[[], object], repeats: int = 5) -> float:
    """Median over ``repeats``, after one run that is not timed."""
    times = []
    for _ in range(repeats + 1):
        torch.cuda.synchronize()
        began = time.perf_counter()
        run()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return sorted(times[1:])[repeats // 2]


def cuda_tests() -> Iterator[str]:
    """All tests that need a card, and what failed of them."""
    files = [str(path) for path in sorted(Path("tests").rglob("test_*.py")) if "mark.cuda" in path.read_text()]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "cuda", "-p", "no:cacheprovider", "--tb=short", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1200)
    yield done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr[-2000:]
    yield ""
    yield from (line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR")))
    if done.returncode:
        yield from ("", "```", *re.findall(r"^E .*", done.stdout, re.MULTILINE)[:40], "```")


def corruptions() -> Iterator[str]:
    """Bytes against the CPU's, and images per second beside the expectation."""
    costs = json.loads(COSTS.read_text())["corruptions"]
    memory, launch = bandwidth(), launch_cost()
    few, many = photographs(16), photographs(16).repeat(BATCH // 16, 1, 1, 1).cuda()
    yield f"Batches of {BATCH}, severity {SEVERITY}; 16 photographs against the CPU at severities 1, 3 and 5."
    yield ""
    yield "| corruption | bytes that differ | by at most | images/s | expected | share |"
    yield "|---|---|---|---|---|---|"
    for name in BATCHED:
        differ, most = 0.0, 0
        for severity in (1, 3, 5):
            condition = Condition(name, severity)
            here, there = corrupt(few, condition, range(16)), corrupt(few.cuda(), condition, range(16)).cpu()
            apart = (here.int() - there.int()).abs()
            differ, most = max(differ, float((apart > 0).float().mean())), max(most, int(apart.max()))
        taken = seconds(lambda name=name: corrupt(many, Condition(name, SEVERITY), range(BATCH)))  # type: ignore[misc]
        cost = costs[name]
        expected = max(cost["launches"] * launch, cost["bytes_per_image"] * BATCH / memory)
        speeds = f"{BATCH / taken:,.0f} | {BATCH / expected:,.0f} | {expected / taken:.0%}"
        yield f"| {name} | {differ:.6%} | {most} | {speeds} |"


def attacks() -> Iterator[str]:
    """Successes against the CPU's, and the share of the time that the classifier's own passes take."""
    classifier = load_classifier(ModelConfig(name="lite0"))
    here, there = prepare_fast(classifier), prepare_fast(copy.deepcopy(classifier).cuda())
    with numerics("float32"):
        pixels = bytes_to_pixels(photographs(16))
        labels = here(pixels).argmax(1)
        apart = (here(pixels) - there(pixels.cuda()).cpu()).abs().max()
        yield f"lite0, float32; clean logits of 16 photographs differ by at most {float(apart):.2g}."
        yield ""
        yield "| attack | images | outcomes equal to the CPU's | images/s | the classifier's own passes |"
        yield "|---|---|---|---|---|"
        for name, (spec, epsilon, count) in ATTACKS.items():
            own = run_attack(here, pixels, labels, spec, epsilon, seeds=range(16))
            theirs = run_attack(there, pixels.cuda(), labels.cuda(), spec, epsilon, seeds=range(16))
            many, classes = pixels.repeat(count // 16, 1, 1, 1).cuda(), labels.repeat(count // 16).cuda()
            counted = _Counted(there)

            def run(
                counted: nn.Module = counted,
                many: Tensor = many,
                classes: Tensor = classes,
                spec: AttackSpec = spec,
                epsilon: float = epsilon,
            ) -> None:
                run_attack(counted, many, classes, spec, epsilon, seeds=range(len(many)))

            taken = seconds(run, 1)
            passes = counted.seconds_of_passes(many) / 2  # of the run that was timed, and the one before it
            yield (
                f"| {name} | {count} | {(own.success == theirs.success).mean():.0%} | {count / taken:,.0f} "
                f"| {passes / taken:.0%} |"
            )


def sweeps() -> Iterator[str]:
    """The 75 corruptions of 500 images with four classifiers: a job for each, and one for all."""
    runtime = RuntimeConfig(device="cuda")
    images = copied_photographs(500)
    subjects = []
    for name in SWEPT:
        classifier = load_classifier(ModelConfig(name=name, weights="random"))
        subjects.append(Subject(classifier, open_suite({"corruption": (Corruption(), images)}, classifier, runtime)))
    passes = 75 * len(images)

    def run(chosen: list[Subject]) -> float:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            done = run_suites(chosen, Store(folder), runtime=runtime, seed=0)
            taken = time.perf_counter() - began
        assert not any(part.n_missing for part in done.values()), done
        return taken

    yield f"{passes:,} corrupted images per classifier, from the crop cache to the store; random weights, float32."
    yield ""
    yield "| classifiers | seconds | images/s |"
    yield "|---|---|---|"
    run(subjects[:1])  # kernels are compiled once
    alone = []
    for subject in subjects:
        alone.append(run([subject]))
        yield f"| {subject.classifier.name} | {alone[-1]:.1f} | {passes / alone[-1]:,.0f} |"
    together = run(subjects)
    yield f"| a job for each | {sum(alone):.1f} | {passes * len(subjects) / sum(alone):,.0f} |"
    yield f"| one job for all | {together:.1f} | {passes * len(subjects) / together:,.0f} |"


class _Counted(nn.Module):
    """Remembers how many images were shown, with and without a gradient."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.forwards, self.gradients = 0, 0
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        if images.requires_grad:
            self.gradients += len(images)
        else:
            self.forwards += len(images)
        logits: Tensor = self.inner(images)
        return logits

    def seconds_of_passes(self, images: Tensor) -> float:
        """Of as many images through the bare classifier, in batches of ``images``."""

        def forward() -> None:
            with torch.no_grad():
                self.inner(images)

        def gradient() -> None:
            shown = images.detach().requires_grad_()
            torch.autograd.grad(self.inner(shown).sum(), shown)

        return (self.forwards * seconds(forward) + self.gradients * seconds(gradient)) / len(images)


def two_gpus() -> Iterator[str]:
    """Whether two cards give each other's bytes."""
    if torch.cuda.device_count() < 2:
        yield "Did not run: there is one GPU."
        return
    images, classifier = photographs(16), prepare_fast(load_classifier(ModelConfig(name="lite0")))
    yield "| corruption | bytes equal |"
    yield "|---|---|"
    for name in BATCHED:
        one, two = (corrupt(images.to(f"cuda:{i}"), Condition(name, 3), range(16)).cpu() for i in range(2))
        yield f"| {name} | {'yes' if torch.equal(one, two) else 'FAILED: no'} |"
    with numerics("float32"), torch.no_grad():
        one, two = (classifier.to(f"cuda:{i}")(bytes_to_pixels(images.to(f"cuda:{i}"))).cpu() for i in range(2))
    yield f"\nLogits of lite0 differ by at most {float((one - two).abs().max()):.2g}."


if __name__ == "__main__":
    sys.exit(main())
