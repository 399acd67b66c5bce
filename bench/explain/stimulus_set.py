"""A set of style-transfer pictures: its recipe, and making the pictures that are missing."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.errors import ConfigurationError
from bench.explain.stimuli import Loaded, Pair, Source, load_sources, whole_crop
from bench.explain.stimulus_files import PictureFiles
from bench.explain.style_transfer import SMALLEST_SIDE, TransferConfig, pair_seed, resolve_layers, transfer_style
from bench.models import Classifier, ModelConfig, in_hub_cache, load_classifier
from bench.records import Provenance

PREFERRED, PACKAGED = "vgg19", "lite0"
"""Backbone of ``backbone.name=auto``: the first if its weights are on this machine, else the second."""


@dataclass(frozen=True)
class StimulusSet:
    """Which pictures to make, and how."""

    files: PictureFiles
    """The pairs and the files of their pictures."""
    size: int
    """Side in pixels."""
    batch: int
    """Pairs that are optimised together."""
    backbone: ModelConfig
    """The network whose features are matched."""
    transfer: TransferConfig
    """Settings of style transfer."""
    seed: int
    """The run's seed."""

    def check(self) -> None:
        """Refuse sizes, batches and outputs that cannot work.

        Raises:
            ConfigurationError: naming the setting.
        """
        if self.size < SMALLEST_SIDE or self.batch < 1:
            raise ConfigurationError(f"size={self.size} pairs={self.batch}: at least {SMALLEST_SIDE} px, and one pair")
        n_pictures = len(self.files.pairs)
        if self.files.single and n_pictures > 1:
            raise ConfigurationError(
                f"out={self.files.out} is one file, but there are {n_pictures} pictures: give a folder"
            )

    def load_images(self) -> dict[Path, Loaded]:
        """Every content and style image, by absolute path.

        Raises:
            DataError: a file that is no image.
        """
        sources = [source for pair in self.files.pairs for source in (pair.content, pair.style)]
        return load_sources(sources, whole_crop(self.size))


def choose_backbone(config: ModelConfig) -> ModelConfig:
    """``config`` with the name ``auto`` replaced by the backbone that it stands for."""
    if config.name == "auto":
        config.name = PREFERRED if config.checkpoint or in_hub_cache(PREFERRED) else PACKAGED
    return config


def load_backbone(config: ModelConfig) -> Classifier:
    """The backbone.

    Raises:
        ConfigurationError: no such network, or its weights are not available; names the packaged one.
    """
    try:
        return load_classifier(config)
    except ConfigurationError as error:
        text = str(error).replace("model.", "backbone.")
        raise ConfigurationError(f"{text}; backbone.name={PACKAGED} needs no download") from error


def make_recipe(stimuli: StimulusSet, classifier: Classifier, images: Mapping[Path, Loaded]) -> dict[str, Any]:
    """Everything that decides the pictures, as JSON values."""
    layers = resolve_layers(classifier, stimuli.transfer)
    chosen = {**asdict(stimuli.transfer), "content_layers": layers.content, "style_layers": layers.style}

    def inputs(kind: str) -> dict[str, dict[str, str]]:
        sources = {getattr(pair, kind).name: getattr(pair, kind).path for pair in stimuli.files.pairs}
        return {name: {"file": path.name, "digest": images[path.absolute()].digest} for name, path in sources.items()}

    return {
        "method": "style transfer (Gatys et al. 2016), relative errors, Gram matrices over octaves",
        "backbone": stimuli.backbone.name,
        "weights_digest": classifier.weights_digest,
        "transfer": json.loads(json.dumps(chosen)),
        "size": stimuli.size,
        "seed": stimuli.seed,
        "content": inputs("content"),
        "style": inputs("style"),
    }


def recipe_digest(recipe: Mapping[str, Any]) -> str:
    """Digest of what all pictures share: the inputs are left out, so that a set may grow."""
    shared = {key: value for key, value in recipe.items() if key not in ("content", "style")}
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()[:16]


def describe_recipe_run(provenance: Provenance, classifier: Classifier) -> dict[str, Any]:
    """Code, packages and device of a run, as JSON values; they are no part of the recipe's digest."""
    return {
        "packages": dict(provenance.packages),
        "commit": provenance.commit,
        "device": provenance.device,
        "network": type(classifier.network).__name__,
    }


def make_pictures(
    pairs: Sequence[Pair],
    stimuli: StimulusSet,
    classifier: Classifier,
    images: Mapping[Path, Loaded],
    digest: str,
    on_progress: Callable[[int, str, int], None] = lambda *_: None,
) -> None:
    """Make and write the pictures of ``pairs``, batch by batch.

    Args:
        pairs: those without a picture.
        stimuli: the settings.
        classifier: the backbone, on its device.
        images: what ``stimuli.load_images`` returned.
        digest: of the recipe.
        on_progress: called after each step and batch with the pictures finished, the name of a picture, and the steps
            done (one step of one picture counts 1).
    """
    for start in range(0, len(pairs), stimuli.batch):
        batch = pairs[start : start + stimuli.batch]
        on_step = partial(on_progress, 0, batch[0].path, len(batch))
        _make_batch(batch, stimuli, classifier, images, digest, on_step)
        on_progress(len(batch), batch[-1].path, 0)


def _make_batch(
    batch: Sequence[Pair],
    stimuli: StimulusSet,
    classifier: Classifier,
    images: Mapping[Path, Loaded],
    digest: str,
    on_step: Callable[[], None],
) -> None:
    def stack(sources: Iterable[Source]) -> Tensor:
        return torch.stack([images[source.path.absolute()].pixels for source in sources]).to(classifier.mean.device)

    seeds = [pair_seed(stimuli.seed, pair.content.name, pair.style.name) for pair in batch]
    contents, styles = stack(pair.content for pair in batch), stack(pair.style for pair in batch)
    made = transfer_style(classifier, contents, styles, stimuli.transfer, seeds=seeds, on_step=on_step)
    for row, (pair, seed) in enumerate(zip(batch, seeds, strict=True)):
        losses = {name: float(f"{value[row].item():.6g}") for name, value in asdict(made.losses).items()}
        stimuli.files.write(pair, made.images[row].cpu(), {"recipe": digest, "seed": seed, "losses": losses})
