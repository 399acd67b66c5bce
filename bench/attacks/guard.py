"""The classifier as attacks see it: counted, its logits checked to be finite; and seeded draws for libraries."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from bench.attacks.result import AttackError
from bench.imaging.threads import map_images


class GuardedClassifier(nn.Module):
    """Passes images to a classifier, counts them, and remembers whether a logit was NaN or infinite.

    It does not look at the logits at once: a host that waits for an answer after each forward pass leaves an
    accelerator idle. `check` looks.
    """

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier
        self.queries = 0
        self._finite: Tensor | None = None
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B,K)`` of images ``(B,3,H,W)``."""
        self.queries += len(images)
        logits: Tensor = self.classifier(images)
        finite = torch.isfinite(logits.detach()).all()
        self._finite = finite if self._finite is None else self._finite & finite
        return logits

    def check(self) -> None:
        """Look at what was remembered.

        Raises:
            AttackError: a logit was NaN or infinite.
        """
        if self._finite is not None and not bool(self._finite):
            raise AttackError("the classifier returned NaN or infinite logits; an attack on it would mean nothing")

    @contextmanager
    def checked(self) -> Iterator[None]:
        """`check` at the end of the block, also where something else failed: the logits are the likelier cause."""
        try:
            yield
        except Exception as error:
            try:
                self.check()
            except AttackError as cause:
                raise cause from error
            raise
        self.check()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the generators that libraries draw from, torch's on the CPU and NumPy's, and restore them afterwards.

    What is drawn for another device meanwhile is drawn on the CPU and copied, so that no number depends on the device.
    """
    numpy_state = np.random.get_state()
    with torch.random.fork_rng(devices=[]), _DrawOnCpu():
        torch.default_generator.manual_seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)


_NEW = (torch.rand, torch.randn, torch.randint, torch.randperm)
_LIKE = (torch.rand_like, torch.randn_like)
_IN_PLACE = (Tensor.uniform_, Tensor.normal_)


class _DrawOnCpu(TorchFunctionMode):
    """Draws of foolbox and pyautoattack for any device come from the CPU's generator."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        options = dict(kwargs or {})
        if func in _NEW:
            device = options.pop("device", None)
            return func(*args, **options).to(device)
        if func in _LIKE:
            device = options.pop("device", args[0].device)
            return func(torch.empty_like(args[0], device="cpu"), *args[1:], **options).to(device)
        if func in _IN_PLACE:
            return args[0].copy_(func(torch.empty_like(args[0], device="cpu"), *args[1:], **options))
        return func(*args, **options)


@contextmanager
def seeded_rows(seeds: Sequence[int]) -> Iterator[None]:
    """Draw row ``i`` of each batch from seed ``i``, on the CPU, so that no image's draws depend on another's."""
    with _DrawRowsOnCpu([torch.Generator().manual_seed(seed) for seed in seeds]):
        yield


class _DrawRowsOnCpu(TorchFunctionMode):
    def __init__(self, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.generators = generators

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        options = dict(kwargs or {})
        if func not in (torch.rand, torch.randn):
            return func(*args, **options)
        device = options.pop("device", None)
        shape = tuple(options.pop("size", args[0] if len(args) == 1 else args))
        if shape[0] != len(self.generators):
            raise AttackError(f"a draw of shape {shape} is not one row for each of {len(self.generators)} images")

        def draw(row: Tensor) -> Tensor:
            drawn: Tensor = func(shape[1:], **options, generator=self.generators[int(row)])
            return drawn

        # on as many threads as torch may use: one thread holds up a GPU
        return map_images(draw, torch.arange(shape[0])).to(device)


@contextmanager
def frozen(classifier: nn.Module) -> Iterator[None]:
    """Ask for no weight gradients meanwhile: libraries that call ``backward`` would compute and accumulate them."""
    trained = [parameter for parameter in classifier.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
