"""The training loop: epochs whose every draw depends on seed and epoch alone, a checkpoint after each."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.configs import Recipe
from bench.data import Crops
from bench.errors import ConfigurationError
from bench.imaging.division import bytes_to_pixels
from bench.models import Classifier, numerics
from bench.seeding import derive_seed
from bench.training.checkpoint import EpochRecord, TrainingState, load_state, save_state, save_weights
from bench.training.holdout import collapse, judge_holdout, split_holdout
from bench.training.recipe import attack_radius
from bench.training.step import augment, learning_rate, perturb


class Training:
    """A training run in a folder: where an earlier process left off, this one goes on, to the same result.

    Args:
        classifier: where to start from, in float32 or bfloat16; trained in place, on ``device``.
        crops: labelled images; the labels are logit columns.
        recipe: how to train.
        folder: holds ``state.pt``, ``log.jsonl`` and the weights.
        seed: of every draw.
        device: where to train.

    Raises:
        ConfigurationError: the folder holds another training, or fewer images than the held-out part needs.
        DataError: the folder's state cannot be read.
    """

    def __init__(
        self, classifier: Classifier, crops: Crops, recipe: Recipe, folder: Path, *, seed: int, device: torch.device
    ) -> None:
        if recipe.holdout >= len(crops):
            raise ConfigurationError(
                f"recipe.holdout={recipe.holdout} leaves nothing to train on: there are {len(crops)} images"
            )
        self.crops, self.recipe, self.folder, self.seed, self.device = crops, recipe, folder, seed, device
        self.identity = _identity(classifier, crops, recipe, seed)
        self.split = split_holdout(crops.labels, recipe.holdout, seed=seed)
        self.classifier = classifier.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.classifier.requires_grad_(requires_grad=True)
        self.optimizer = torch.optim.SGD(
            classifier.parameters(), lr=0.0, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
        folder.mkdir(parents=True, exist_ok=True)
        self.state = load_state(folder, self.identity) or self._initial_state()
        classifier.network.load_state_dict(self.state.network)
        self.optimizer.load_state_dict(dict(self.state.optimizer))

    @property
    def weights(self) -> Path:
        """The plain state dict of the best epoch, once there is one; named after the folder."""
        return self.folder / f"{self.folder.resolve().name}.safetensors"

    @property
    def history(self) -> tuple[EpochRecord, ...]:
        """Every epoch done, those of earlier processes included."""
        return self.state.history

    @property
    def best(self) -> EpochRecord:
        """The epoch the weights are from."""
        return self.history[self.state.best_epoch - 1]

    @property
    def stopped(self) -> str:
        """Why training ended before its last epoch, in words; empty when it did not."""
        return self.state.stopped

    @property
    def images_left(self) -> int:
        """Images still to be trained on, over all epochs."""
        epochs = 0 if self.stopped else self.recipe.epochs - len(self.history)
        return epochs * len(self.split.train)

    def epochs(self, on_batch: Callable[[int, int], None] = lambda *_: None) -> Iterator[EpochRecord]:
        """Train; each epoch is yielded once its checkpoint is on disk.

        Args:
            on_batch: called with the epoch and the number of images of each batch trained on.

        Raises:
            ConfigurationError: the loss is no longer finite.
        """
        while self.images_left:
            began = time.perf_counter()
            epoch = len(self.history) + 1
            with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
                torch.manual_seed(derive_seed(self.seed, "training", epoch))  # dropout and its like
                with numerics(self.classifier.precision):
                    loss, accuracy = self._train_epoch(epoch, on_batch)
            if not math.isfinite(loss):
                raise ConfigurationError(
                    f"the loss is {loss} in epoch {epoch}: lower recipe.learning_rate={self.recipe.learning_rate:g}"
                )
            holdout = judge_holdout(
                self.classifier, self.crops, self.split.holdout, self.recipe, self.device, seed=self.seed
            )
            yield self._checkpoint(EpochRecord(epoch, loss, accuracy, holdout, time.perf_counter() - began))

    def _train_epoch(self, epoch: int, on_batch: Callable[[int, int], None]) -> tuple[float, float]:
        """Mean loss and accuracy on what was trained on."""
        draws = torch.Generator().manual_seed(derive_seed(self.seed, "augmentation", epoch))
        noise = torch.Generator(self.device).manual_seed(derive_seed(self.seed, "perturbation", epoch))
        order = torch.from_numpy(self.split.train)[torch.randperm(len(self.split.train), generator=draws)]
        batches = order.tensor_split(math.ceil(len(order) / self.recipe.batch_size))  # equal in size, none left out
        self.classifier.train()
        total = torch.zeros(2, dtype=torch.float64, device=self.device)
        for index, positions in enumerate(batches):
            progress = (epoch - 1 + (index + 0.5) / len(batches)) / self.recipe.epochs
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(progress, self.recipe.learning_rate)
            total += self._step(positions, draws, noise)
            on_batch(epoch, len(positions))
        loss, accuracy = (total / len(order)).tolist()
        return loss, accuracy

    def _step(self, positions: Tensor, draws: torch.Generator, noise: torch.Generator) -> Tensor:
        """Summed loss and number of correct predictions of one batch, ``(2,)``."""
        recipe = self.recipe
        shown = self.crops.read(positions.tolist()).to(self.device)
        shift = round(recipe.crop_shift * min(shown.shape[2:]))
        pixels = bytes_to_pixels(augment(shown, shift=shift, flip=recipe.flip, generator=draws))
        labels = torch.from_numpy(self.crops.labels)[positions].to(self.device)
        pixels = perturb(
            self.classifier,
            pixels,
            labels,
            epsilon=attack_radius(recipe),
            steps=recipe.steps,
            step_size=recipe.step_size,
            generator=noise,
        )
        logits = self.classifier(pixels)
        loss = F.cross_entropy(logits, labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        correct = (logits.argmax(dim=1) == labels).sum()
        return torch.stack([loss.detach().double() * len(labels), correct.double()])

    def _checkpoint(self, record: EpochRecord) -> EpochRecord:
        """Weights first, if they are the best so far, then the state that says so."""
        history = (*self.history, record)
        stopped = collapse([past.holdout for past in history])
        best = self.state.best_epoch
        if best == 0 or record.holdout.score > history[best - 1].holdout.score:
            best = record.epoch
            save_weights(self.weights, self.classifier.network, {**self.identity, "epoch": best})
        self.state = TrainingState(
            identity=self.identity,
            history=history,
            best_epoch=best,
            stopped=stopped,
            network=self.classifier.network.state_dict(),
            optimizer=self.optimizer.state_dict(),
        )
        save_state(self.folder, self.state)
        return record

    def _initial_state(self) -> TrainingState:
        network = self.classifier.network.state_dict()
        return TrainingState(self.identity, (), 0, "", network, self.optimizer.state_dict())


def _identity(classifier: Classifier, crops: Crops, recipe: Recipe, seed: int) -> dict[str, Any]:
    """What two processes must share to continue one training."""
    return {
        "model": classifier.name,
        "start weights": classifier.weights_digest,
        "precision": classifier.precision,
        "crop": classifier.crop.key,
        "images": f"{crops.name} {crops.digest}",
        "seed": seed,
        **{f"recipe.{key}": value for key, value in asdict(recipe).items()},
    }
