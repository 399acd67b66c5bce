"""``task=stylize``: the content of one image in the texture of another, or a whole cue-conflict set of such images."""

import hashlib
import io
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from PIL import Image, PngImagePlugin
from torch import Tensor

from bench.errors import ConfigurationError, DataError
from bench.explain.stimuli import Loaded, Pair, Source, find_sources, load_sources, make_pairs, whole_crop
from bench.explain.style_transfer import (
    SMALLEST_SIDE,
    TransferConfig,
    check_transfer,
    pair_seed,
    resolve_layers,
    transfer_style,
)
from bench.library.presets import filled
from bench.models import Classifier, ModelConfig, check_model, in_hub_cache, load_classifier
from bench.results.files import FileTree
from bench.sweep.progress import SweepProgress
from bench.sweep.provenance import describe_run
from bench.tasks.support.config import read_seed, read_settings, report_folder

logger = logging.getLogger(__name__)
RECIPE_KEY = "snowwolf"
"""PNG text entry of a finished picture: its recipe's digest and its losses."""
PREFERRED, PACKAGED = "vgg19", "lite0"


@dataclass(frozen=True)
class StylizeSettings:
    """What a config asks for."""

    pairs: tuple[Pair, ...]
    """What to make."""
    out: Path
    """A PNG file for one pair, else a folder."""
    size: int
    """Pixels."""
    batch: int
    """Pairs optimised together."""
    backbone: ModelConfig
    """The network whose features are matched."""
    transfer: TransferConfig
    """How."""
    seed: int
    """The run's seed."""

    @property
    def single(self) -> bool:
        """Whether ``out`` is the one picture's own name."""
        return self.out.suffix.lower() == ".png"

    @property
    def root(self) -> Path:
        """Folder of the set."""
        return self.out.parent if self.single else self.out

    @property
    def recipe_name(self) -> str:
        """File beside the pictures."""
        return f"{self.out.stem}.recipe.json" if self.single else "recipe.json"

    def file(self, pair: Pair) -> Path:
        """Where the pair's picture goes."""
        return self.out if self.single else self.out / pair.path


def check(config: DictConfig) -> None:
    """Refuse missing or unreadable images, unknown backbones and settings that cannot work."""
    settings = read_stylize(config)
    check_model(settings.backbone)
    read_settings(config).runtime.check()
    load_sources(
        [source for pair in settings.pairs for source in (pair.content, pair.style)], whole_crop(settings.size)
    )


def run(config: DictConfig) -> None:
    """Write the pictures that are not there yet, then the recipe with every picture's losses."""
    settings = read_stylize(config)
    runtime = read_settings(config).runtime
    device = runtime.torch_device()
    if runtime.threads is not None:
        torch.set_num_threads(runtime.threads)
    classifier = load_backbone(settings.backbone).to(device)
    sources = [source for pair in settings.pairs for source in (pair.content, pair.style)]
    images = load_sources(sources, whole_crop(settings.size))
    recipe = make_recipe(settings, classifier, images)
    digest = _digest(recipe)
    missing = [pair for pair in settings.pairs if not _is_made(settings, pair, digest)]
    batches = [missing[start : start + settings.batch] for start in range(0, len(missing), settings.batch)]
    steps = settings.transfer.steps * settings.transfer.passes
    with SweepProgress(f"stylizing with {classifier.name}", len(missing), len(missing) * steps) as progress:
        for batch in batches:
            step = partial(progress.advance, 0, batch[0].path, len(batch))
            for pair, image, entry in _stylize(batch, classifier, settings, images, step):
                _write(settings.file(pair), _encode(image, {"recipe": digest, **entry}))
            progress.advance(len(batch), batch[-1].path, 0)
    _write_recipe(settings, {**recipe, "run": describe_recipe(settings, classifier, device)})
    logger.info(
        "%d pictures made, %d there already: %s", len(missing), len(settings.pairs) - len(missing), settings.out
    )


def read_stylize(config: DictConfig) -> StylizeSettings:
    """The settings of a config.

    Raises:
        ConfigurationError: something is missing, unknown, or of the wrong type.
        DataError: images whose category is unclear.
    """
    for key in ("content", "style"):
        if config[key] is None:
            raise ConfigurationError(f"task=stylize needs {key}=FILE or {key}=FOLDER")
    if int(config.size) < SMALLEST_SIDE or int(config.pairs) < 1:
        raise ConfigurationError(f"size={config.size} pairs={config.pairs}: at least {SMALLEST_SIDE} px, and one pair")
    transfer = filled(TransferConfig, config.transfer, "transfer")
    check_transfer(transfer)
    contents, styles = (find_sources(str(config[key]), key) for key in ("content", "style"))
    pairs = tuple(make_pairs(contents, styles, same_category=bool(config.same_category)))
    default = report_folder(config) / "stylized"
    out = default if config.out is None else Path(str(config.out))
    if out.suffix.lower() == ".png" and len(pairs) > 1:
        raise ConfigurationError(f"out={out} is one file, but there are {len(pairs)} pictures: give a folder")
    backbone = filled(ModelConfig, config.backbone, "backbone")
    if backbone.name == "auto":
        backbone.name = PREFERRED if backbone.checkpoint or in_hub_cache(PREFERRED) else PACKAGED
    return StylizeSettings(pairs, out, int(config.size), int(config.pairs), backbone, transfer, read_seed(config))


def load_backbone(config: ModelConfig) -> Classifier:
    """The backbone; where its weights cannot be had, the message says what else will do.

    Raises:
        ConfigurationError: no such network, or no weights.
    """
    try:
        return load_classifier(config)
    except ConfigurationError as error:
        text = str(error).replace("model.", "backbone.")
        raise ConfigurationError(f"{text}; backbone.name={PACKAGED} needs no download") from error


def make_recipe(settings: StylizeSettings, classifier: Classifier, images: Mapping[Path, Loaded]) -> dict[str, Any]:
    """Everything that decides the pictures: JSON values."""
    layers = resolve_layers(classifier, settings.transfer)
    chosen = {**asdict(settings.transfer), "content_layers": layers.content, "style_layers": layers.style}

    def inputs(kind: str) -> dict[str, dict[str, str]]:
        sources = {getattr(pair, kind).name: getattr(pair, kind).path for pair in settings.pairs}
        return {name: {"file": path.name, "digest": images[path.absolute()].digest} for name, path in sources.items()}

    return {
        "method": "style transfer (Gatys et al. 2016), relative errors, Gram matrices over octaves",
        "backbone": settings.backbone.name,
        "weights_digest": classifier.weights_digest,
        "transfer": json.loads(json.dumps(chosen)),
        "size": settings.size,
        "seed": settings.seed,
        "content": inputs("content"),
        "style": inputs("style"),
    }


def describe_recipe(settings: StylizeSettings, classifier: Classifier, device: torch.device) -> dict[str, Any]:
    """How this run came to be: versions, device and pair seeds; it decides nothing."""
    provenance = describe_run(device, "python run.py", settings={"pairs": settings.batch}, cost={})
    return {
        "packages": dict(provenance.packages),
        "commit": provenance.commit,
        "device": provenance.device,
        "network": type(classifier.network).__name__,
    }


def _digest(recipe: Mapping[str, Any]) -> str:
    """Of what all pictures share: the inputs are left out, so that a set may grow."""
    shared = {key: value for key, value in recipe.items() if key not in ("content", "style")}
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()[:16]


def _stylize(
    batch: Sequence[Pair],
    classifier: Classifier,
    settings: StylizeSettings,
    images: Mapping[Path, Loaded],
    on_step: Callable[[], None],
) -> Iterator[tuple[Pair, Tensor, dict[str, Any]]]:
    def stack(sources: Iterable[Source]) -> Tensor:
        return torch.stack([images[source.path.absolute()].pixels for source in sources]).to(classifier.mean.device)

    seeds = [pair_seed(settings.seed, pair.content.name, pair.style.name) for pair in batch]
    contents, styles = stack(pair.content for pair in batch), stack(pair.style for pair in batch)
    made = transfer_style(classifier, contents, styles, settings.transfer, seeds=seeds, on_step=on_step)
    for row, (pair, seed) in enumerate(zip(batch, seeds, strict=True)):
        losses = {name: float(f"{value[row].item():.6g}") for name, value in asdict(made.losses).items()}
        yield pair, made.images[row].cpu(), {"seed": seed, "losses": losses}


def _encode(image: Tensor, entry: Mapping[str, Any]) -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text(RECIPE_KEY, json.dumps(entry))
    pixels = (image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True, pnginfo=text)
    return buffer.getvalue()


def _write(target: Path, content: bytes) -> None:
    FileTree(str(target.parent.absolute())).write_once("", target.name, content)


def _is_made(settings: StylizeSettings, pair: Pair, digest: str) -> bool:
    entry = _read_entry(settings, pair)
    if entry is not None and entry["recipe"] != digest:
        raise ConfigurationError(
            f"{settings.file(pair)} was made by another recipe (other weights, settings, size or seed): give another"
            " out=..., or remove it"
        )
    return entry is not None


def _read_entry(settings: StylizeSettings, pair: Pair) -> dict[str, Any] | None:
    path = settings.file(pair)
    if not path.exists():
        return None
    try:
        with Image.open(path) as image:
            entry: dict[str, Any] = json.loads(image.info[RECIPE_KEY])
    except (OSError, KeyError, ValueError) as error:
        raise DataError(
            f"{path} is in the way: it is no picture of task=stylize; remove it, or give another out=..."
        ) from error
    return entry


def _write_recipe(settings: StylizeSettings, recipe: dict[str, Any]) -> None:
    """Beside the pictures, replaced whole: what made them, and each one's seed and losses."""
    pictures = {}
    for pair in settings.pairs:
        entry = _read_entry(settings, pair)
        if entry is None:
            raise DataError(f"{settings.file(pair)} has vanished: run the same command again")
        pictures[str(settings.file(pair).relative_to(settings.root))] = {key: entry[key] for key in ("seed", "losses")}
    target = settings.root / settings.recipe_name
    draft = target.with_name(f".writing-{os.getpid()}-{target.name}")
    draft.write_text(json.dumps({**recipe, "pictures": pictures}, indent=1) + "\n")
    draft.replace(target)
