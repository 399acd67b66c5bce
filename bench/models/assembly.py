"""From what a model source knows of a network to a classifier: what all sources share."""

import importlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from bench.configs import ModelConfig
from bench.data.label_spaces import LabelSpace, imagenet, imagenet_with, known_as, read_label_space, unnamed_classes
from bench.errors import ConfigurationError, nearest_names
from bench.models.classifier import Classifier, logits_of
from bench.models.preprocessing import Preprocessing, with_settings
from bench.models.source import DEFAULT_SOURCE, ModelOutline

CHECKPOINT_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".tar")
SHARE_OF_NAMES = 0.99
"""Of a list of 1,000 class names: what has to be ImageNet's to be called so."""
PRECISIONS = ("float32", "bfloat16", "float16", "tf32")


def check_settings(config: ModelConfig) -> None:
    """Refuse what no source takes.

    Raises:
        ConfigurationError: an unknown precision, kind of weights or label space, or a checkpoint that is not there.
    """
    if config.precision not in PRECISIONS:
        raise ConfigurationError(
            f"unknown precision {config.precision!r}: {nearest_names(config.precision, PRECISIONS[:2])}"
        )
    if config.weights not in ("pretrained", "random"):
        raise ConfigurationError(f"model.weights is 'pretrained' or 'random', not {config.weights!r}")
    if config.checkpoint is not None:
        check_checkpoint_path(Path(config.checkpoint))
    if config.label_space is not None:
        read_label_space(config.label_space)


def check_checkpoint_path(path: Path) -> None:
    """Refuse a checkpoint that is not there, or no file of weights by its name."""
    if not path.is_file():
        siblings = [file.name for file in path.parent.glob("*") if file.suffix in CHECKPOINT_SUFFIXES]
        raise ConfigurationError(f"no checkpoint at {path}; {nearest_names(path.name, siblings)}".rstrip("; "))
    if path.suffix not in CHECKPOINT_SUFFIXES:
        raise ConfigurationError(f"checkpoint {path} is not one of {', '.join(CHECKPOINT_SUFFIXES)}")


def check_file(config: ModelConfig, suffix: str) -> Path:
    """The file that ``config.name`` names.

    Raises:
        ConfigurationError: there is none, with the nearest names in its folder.
    """
    path = Path(config.name).expanduser()
    if not path.is_file():
        hint = nearest_names(path.name, [file.name for file in path.parent.glob(f"*{suffix}")])
        raise ConfigurationError(
            f"model source {config.source}: there is no file {path}: give model.name=FILE; {hint}".rstrip("; ")
        )
    return path


def outline_of(
    config: ModelConfig, preprocessing: Preprocessing | None, space: LabelSpace, *, has_gradient: bool = True
) -> ModelOutline:
    """What is known of the classifier that ``classifier_of`` will make of the same."""
    return ModelOutline(space, with_settings(preprocessing, config).crop, has_gradient)


def classifier_of(
    config: ModelConfig,
    network: nn.Module,
    preprocessing: Preprocessing | None,
    space: LabelSpace,
    *,
    code: str = "",
    published: str = "",
) -> Classifier:
    """The classifier, with the preprocessing that the config sets, if any.

    Args:
        config: as ``bench.models.source.resolve`` returns it.
        network: ``(B,3,H,W)`` normalised float -> logits ``(B,K)``.
        preprocessing: what the source states; None for none.
        space: what its logit columns mean.
        code: digest of code outside this project that made the network.
        published: what tables of published figures call the source's own weights.
    """
    settled = with_settings(preprocessing, config)
    options = json.dumps(config.options, sort_keys=True, default=str) if config.options else ""
    return Classifier(
        name_of(config),
        network.eval(),
        mean=settled.mean,
        std=settled.std,
        crop=settled.crop,
        label_space=space,
        precision=config.precision,
        made_with=f"{options}{code}",
        published=published if config.checkpoint is None and config.weights == "pretrained" else "",
    )


def name_of(config: ModelConfig) -> str:
    """What reports call the classifier of a resolved config: ``bench.models.display_name``."""
    if config.alias is not None:
        return config.alias
    name = config.name if config.source == DEFAULT_SOURCE else f"{config.source}:{config.name}"
    if config.checkpoint is not None:
        return f"{name}+{Path(config.checkpoint.removesuffix('.tar')).stem}"
    return name if config.weights == "pretrained" else f"{name} (random)"


def label_space_of(config: ModelConfig, n_classes: int, stated: LabelSpace | None = None) -> LabelSpace:
    """What the logit columns mean: by declaration, by what the source states, by ImageNet's sizes; else unnamed.

    Raises:
        ConfigurationError: a declaration of another number of classes.
    """
    if config.label_space is not None:
        declared = read_label_space(config.label_space)
        if declared.n_classes != n_classes:
            raise ConfigurationError(
                f"model.label_space={config.label_space} has {declared.n_classes} classes, and the classifier"
                f" {n_classes} logits"
            )
        return declared
    if stated is not None and stated.n_classes == n_classes:
        return stated
    return imagenet_with(n_classes) or unnamed_classes(n_classes)


def named_classes(where: str, names: Sequence[str]) -> LabelSpace:
    """The label space of a source that names its classes in words: ImageNet's where they are those, in that order.

    A few of ImageNet's names differ between lists (``crane bird``); another order differs in most. A name that two
    classes have is followed by its column, ``crane (517)``.
    """
    same = sum(_first_word(name) == _first_word(title) for name, title in zip(names, imagenet().titles, strict=False))
    if len(names) == imagenet().n_classes and same >= SHARE_OF_NAMES * len(names):
        return imagenet()
    counts = Counter(names)
    unique = [f"{name} ({column})" if counts[name] > 1 else str(name) for column, name in enumerate(names)]
    return known_as(LabelSpace(where, len(unique), tuple(unique)))


def _first_word(name: str) -> str:
    """The first of a class's synonyms: ``tench`` of ``tench, Tinca tinca``."""
    return str(name).partition(",")[0].strip().lower().replace("_", " ")


def count_logits(network: nn.Module, size: tuple[int, int], name: str) -> int:
    """Columns of the logits, by one forward pass of grey.

    Raises:
        ConfigurationError: the network does not take images of ``size``, or returns no logits.
    """
    training = network.training
    parameter = next(network.parameters(), torch.empty(0))
    grey = torch.full((1, 3, *size), 0.5, device=parameter.device, dtype=parameter.dtype)
    try:
        with torch.no_grad():
            output = network.eval()(grey)
    except Exception as error:  # whatever the network's own code raises
        raise ConfigurationError(
            f"{name} does not take images of {size[0]} x {size[1]} pixels: {one_line(error)}"
        ) from error
    finally:
        network.train(training)
    logits = logits_of(output, name)
    if logits.ndim != 2:
        raise ConfigurationError(
            f"{name} answers {tuple(logits.shape)} for one image, not logits of shape (1, classes)"
        )
    return int(logits.shape[1])


def one_line(error: BaseException, limit: int = 300) -> str:
    """An error of another library: its type, and its message in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:limit]}"


def import_extra(module: str, install: str, source: str) -> Any:
    """An optional dependency of a source.

    Args:
        module: its name.
        install: what to give to ``pip install``.
        source: the source that needs it, for the message.

    Raises:
        ConfigurationError: it is not installed, or cannot be imported.
    """
    try:
        found: ModuleType = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise ConfigurationError(f"model source {source}: {module} cannot be imported: {error}") from error
        raise ConfigurationError(f"model source {source} needs {module}: pip install {install}") from error
    except Exception as error:  # whatever the package's own code raises
        raise ConfigurationError(f"model source {source}: {module} cannot be imported: {one_line(error)}") from error
    return found


def take_options(config: ModelConfig, known: Sequence[str]) -> Mapping[str, Any]:
    """The options of a source that has a fixed list of them.

    Raises:
        ConfigurationError: an option that the source does not have, with the nearest names.
    """
    for name in config.options:
        if name not in known:
            raise ConfigurationError(
                f"model source {config.source} has no model.options.{name}: {nearest_names(str(name), known)}"
            )
    options: Mapping[str, Any] = config.options
    return options
