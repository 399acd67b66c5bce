"""The state a training run goes on from, and its weights: each file appears whole, or stays as it was."""

import io
import json
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from bench.configs import Recipe
from bench.errors import ConfigurationError, DataError
from bench.paths import write_atomically
from bench.training.holdout import HoldoutAccuracy

STATE, LOG = "state.pt", "log.jsonl"
FORMAT = 1


@dataclass(frozen=True)
class EpochRecord:
    """One line of the log."""

    epoch: int
    """Counted from 1."""
    loss: float
    """Mean cross-entropy on what was trained on."""
    train_accuracy: float
    """In [0,1], on what was trained on: the perturbed images in adversarial training."""
    holdout: HoldoutAccuracy
    """On the held-out images."""
    seconds: float
    """Wall time of the epoch, judging included."""

    def describe(self, recipe: Recipe) -> str:
        """The figures in words: ``epoch 3/20: loss 1.234, train accuracy 56.7%; held out: clean 54.3%; 12.3 s``."""
        trained_on = "adversarial train accuracy" if recipe.steps else "train accuracy"
        line = f"epoch {self.epoch}/{recipe.epochs}: loss {self.loss:.3f}, {trained_on} {self.train_accuracy:.1%};"
        line += f" held out: clean {self.holdout.clean:.1%}"
        if self.holdout.own_attack is not None and self.holdout.pgd is not None:
            line += f", {recipe.name} {self.holdout.own_attack:.1%}, PGD-10 {self.holdout.pgd:.1%}"
        return f"{line}; {self.seconds:.1f} s"

    def to_json(self) -> str:
        """One line, the accuracies on the held-out images flattened to ``holdout_*``."""
        values = asdict(self)
        held_out = {f"holdout_{key}": value for key, value in values.pop("holdout").items()}
        return json.dumps({**values, **held_out}, allow_nan=False)

    @staticmethod
    def from_json(line: str) -> "EpochRecord":
        """Read what ``to_json`` wrote."""
        values = json.loads(line)
        held_out = {key: values.pop(f"holdout_{key}") for key in ("clean", "own_attack", "pgd")}
        return EpochRecord(**values, holdout=HoldoutAccuracy(**held_out))


@dataclass(frozen=True)
class TrainingState:
    """Everything the next epoch depends on; draws are functions of seed and epoch, so no generator is kept."""

    identity: Mapping[str, Any]
    """The run: recipe, start, images, seed."""
    history: tuple[EpochRecord, ...]
    """The epochs done; the position in the schedule is their number."""
    best_epoch: int
    """The epoch whose weights are kept."""
    stopped: str
    """Why training ended before its last epoch; empty when it did not."""
    network: Mapping[str, Tensor]
    """State dict of the network."""
    optimizer: Mapping[str, Any]
    """State dict of the optimiser."""


def save_state(folder: Path, state: TrainingState) -> None:
    """Write the state, then the log it holds."""
    log = [record.to_json() for record in state.history]
    buffer = io.BytesIO()
    torch.save(
        {
            "format": FORMAT,
            "identity": json.dumps(state.identity),
            "history": log,
            "best_epoch": state.best_epoch,
            "stopped": state.stopped,
            "network": dict(state.network),
            "optimizer": dict(state.optimizer),
        },
        buffer,
    )
    write_atomically(folder / STATE, buffer.getvalue())
    write_atomically(folder / LOG, "".join(f"{line}\n" for line in log).encode())


def load_state(folder: Path, identity: Mapping[str, Any]) -> TrainingState | None:
    """The state that an earlier run of the same training left in ``folder``; None where there is none.

    Raises:
        ConfigurationError: the folder holds another training; the message names what differs.
        DataError: the file is not one that this module wrote.
    """
    path = folder / STATE
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}, not {FORMAT}")
        stored = json.loads(content["identity"])
        history = tuple(EpochRecord.from_json(line) for line in content["history"])
        rest = {key: content[key] for key in ("best_epoch", "stopped", "network", "optimizer")}
    except (RuntimeError, KeyError, ValueError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise DataError(f"{path} is not a training state that can be read: choose another out=FOLDER") from error
    _refuse_another(folder, stored, json.loads(json.dumps(identity)))
    return TrainingState(identity=identity, history=history, **rest)


def _refuse_another(folder: Path, stored: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    differing = sorted(key for key in {*stored, *current} if stored.get(key) != current.get(key))
    if differing:
        named = ", ".join(f"{key} was {stored.get(key)} and is now {current.get(key)}" for key in differing[:3])
        raise ConfigurationError(f"{folder} holds another training: {named}; choose another out=FOLDER")


def save_weights(path: Path, network: nn.Module, origin: Mapping[str, Any]) -> None:
    """Write the plain state dict as safetensors, fit for ``model.checkpoint``; ``origin`` goes into its header."""
    tensors = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in network.state_dict().items()
    }
    write_atomically(path, save(tensors, {"training": json.dumps(origin)}))
