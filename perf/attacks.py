"""Attacks side by side: ours, foolbox, torchattacks and ART at equal settings, and the bare passes they are made of.

Run as ``python -m perf.attacks``; under five minutes on two CPU cores. torchattacks and ART are timed where they can
be imported (their pins clash with ours: give them an environment of their own).
"""

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import foolbox as fb
import numpy as np
import torch
from foolbox.types import Bounds
from foolbox.utils import _samples
from torch import Tensor, nn

from bench.attacks import AttackSpec, run_attack
from bench.models import ModelConfig, load_classifier
from bench.models.fast import prepare_fast

EPSILON, STEPS, STEP_SIZE = 4 / 255, 40, 1 / 255
BARE_PASSES = 10
PGD = AttackSpec("pgd_linf", {"steps": STEPS, "abs_stepsize": STEP_SIZE})


class Counted(nn.Module):
    """Counts the images shown to a classifier."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.images = inner, 0

    def forward(self, images: Tensor) -> Tensor:
        """Logits, counted."""
        self.images += len(images)
        logits: Tensor = self.inner(images)
        return logits


@dataclass
class Contender:
    """One row of the table."""

    name: str
    run: Callable[[Tensor, Tensor], Tensor | None]
    """Images and labels to adversarial images; None where there are none (bare passes)."""
    scale: float = 1.0
    """Factor from what ``run`` does to what the row claims."""
    seconds: list[float] = field(default_factory=list)
    broken: int = 0
    attacked: int = 0

    def burst(self, images: Tensor, labels: Tensor, judge: nn.Module) -> None:
        """Time one batch."""
        start = time.perf_counter()
        adversarials = self.run(images, labels)
        self.seconds.append((time.perf_counter() - start) * self.scale / len(images))
        self.attacked += len(images)
        if adversarials is not None:
            with torch.no_grad():
                self.broken += int((judge(adversarials).argmax(1) != labels).sum())

    @property
    def success(self) -> str:
        """Share of broken images."""
        return f"{self.broken / self.attacked:8.0%}" if self.broken else "       -"


def load(name: str) -> nn.Module:
    """A packaged classifier, its weights not frozen: the rivals are timed as their users run them."""
    return load_classifier(ModelConfig(name=name)).requires_grad_(requires_grad=True)


def samples(name: str, side: int, judge: nn.Module) -> tuple[Tensor, Tensor]:
    """Foolbox's sample images that the classifier gets right."""
    pixels, classes = _samples(name, 0, 20, (side, side), "channels_first", Bounds(0, 1))
    images, labels = torch.tensor(pixels), torch.tensor(classes)
    with torch.no_grad():
        right = judge(images).argmax(1) == labels
    return images[right], labels[right]


def ours(model: nn.Module, epsilon: float = EPSILON, spec: AttackSpec = PGD) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda x, y: run_attack(model, x, y, spec, epsilon, seeds=range(len(x))).adversarials


def plain_foolbox(model: nn.Module, epsilon: float = EPSILON) -> Callable[[Tensor, Tensor], Tensor]:
    attack = fb.attacks.LinfPGD(steps=STEPS, abs_stepsize=STEP_SIZE)
    wrapped = fb.PyTorchModel(model, bounds=(0, 1))
    return lambda x, y: attack(wrapped, x, y, epsilons=epsilon)[1]


def bare_passes(model: nn.Module) -> Callable[[Tensor, Tensor], None]:
    def run(images: Tensor, labels: Tensor) -> None:
        for _ in range(BARE_PASSES):
            x = images.clone().requires_grad_()
            torch.autograd.grad(nn.functional.cross_entropy(model(x), labels, reduction="sum"), x)

    return run


def rivals(model: nn.Module) -> list[Contender]:
    """Whichever of torchattacks and ART can be imported; what is missing is said."""
    found = []
    try:
        import torchattacks

        attack = torchattacks.PGD(model, eps=EPSILON, alpha=STEP_SIZE, steps=STEPS, random_start=True)
        found.append(Contender("torchattacks", attack))
    except ImportError as error:
        print(f"torchattacks is not timed: {error}")
    try:
        from art.attacks.evasion import ProjectedGradientDescentPyTorch
        from art.estimators.classification import PyTorchClassifier

        estimator = PyTorchClassifier(
            model, nn.CrossEntropyLoss(), (3, 224, 224), 1000, clip_values=(0.0, 1.0), device_type="cpu"
        )
        art = ProjectedGradientDescentPyTorch(
            estimator, eps=EPSILON, eps_step=STEP_SIZE, max_iter=STEPS, num_random_init=1, verbose=False
        )
        found.append(Contender("ART", lambda x, y: torch.tensor(art.generate(x.numpy(), np.eye(1000)[y.numpy()]))))
    except ImportError as error:
        print(f"ART is not timed: {error}")
    return found


def compare_pgd(n_images: int, batch: int) -> None:
    model = load("lite0")
    fast = prepare_fast(model)
    images, labels = samples("imagenet", 224, model)
    images, labels = images[:n_images], labels[:n_images]
    dropping = [Contender("ours", ours(fast)), Contender("foolbox", plain_foolbox(model)), *rivals(model)]
    staying = [
        Contender("ours, no image leaves (epsilon 0)", ours(fast, 0.0)),
        Contender(f"bare forward + backward x {STEPS}, prepared", bare_passes(fast), STEPS / BARE_PASSES),
        Contender(f"bare forward + backward x {STEPS}, plain", bare_passes(model), STEPS / BARE_PASSES),
    ]
    for part in torch.arange(len(images)).split(batch):  # interleaved, so that a busy machine slows all alike
        for contender in (*dropping, *staying):
            contender.burst(images[part], labels[part], model)
    base = statistics.mean(dropping[0].seconds)
    print(f"\nPGD-{STEPS}, Linf 4/255, lite0 at 224 px, {len(images)} images in batches of {batch}")
    print(f"{'':44s} s/image  x ours  success")
    for row in (*dropping, *staying):
        seconds = statistics.mean(row.seconds)
        print(f"{row.name:44s} {seconds:7.2f} {seconds / base:7.1f} {row.success}")
    floor, slow = statistics.mean(staying[0].seconds), statistics.mean(dropping[1].seconds)
    print(f"where no image leaves: {slow / floor:.1f}x faster than foolbox")


def small_net() -> nn.Module:
    """A network so small that what surrounds the forward pass shows; random weights, the same on every run."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(32 * 8 * 8, 10),
    ).eval()  # fmt: skip


def compare_one_pixel(name: str, model: nn.Module, population: int, generations: int, n_images: int) -> None:
    images, _ = _samples("cifar10", 0, n_images, (32, 32), "channels_first", Bounds(0, 1))
    images = torch.tensor(images)
    with torch.no_grad():
        labels = model(images).argmax(1)
    counted = Counted(prepare_fast(model, example=images)).eval()
    spec = AttackSpec("one_pixel", {"population": population, "generations": generations})
    contenders = [("ours", counted, ours(counted, 1, spec))]
    try:
        import torchattacks

        theirs = Counted(model).eval()
        attack = torchattacks.OnePixel(theirs, pixels=1, steps=generations, popsize=population, inf_batch=128)
        contenders.append(("torchattacks", theirs, attack))
    except ImportError as error:
        print(f"torchattacks is not timed: {error}")
    print(f"\nOne pixel, {name} at 32 px, {len(images)} images, {population} x {generations} candidates")
    print(f"{'':44s} queries/s  queries  broken")
    best: dict[str, tuple[float, int, int]] = {}
    for _ in range(3):  # interleaved, and the quickest of three: a busy machine only ever slows
        for library, classifier, run in contenders:
            classifier.images, start = 0, time.perf_counter()
            adversarials = run(images, labels)
            rate, queries = classifier.images / (time.perf_counter() - start), classifier.images
            with torch.no_grad():
                broken = int((model(adversarials).argmax(1) != labels).sum())
            best[library] = max(best.get(library, (0.0, 0, 0)), (rate, queries, broken))
    for library, (rate, queries, broken) in best.items():
        print(f"{library:44s} {rate:9.0f} {queries:8d} {broken:4d} of {len(images)}")


def main() -> None:
    torch.manual_seed(0)
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, Python {sys.version.split()[0]}")
    compare_pgd(n_images=4, batch=2)
    compare_one_pixel("CIFAR ResNet-18", load("cifar10_resnet18"), population=100, generations=2, n_images=5)
    compare_one_pixel("a two-layer network", small_net(), population=400, generations=5, n_images=10)


if __name__ == "__main__":
    main()
