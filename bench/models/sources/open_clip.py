"""open_clip: CLIP as a zero-shot classifier, whose head is made once from prompts and then kept."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bench.configs import ModelConfig
from bench.data.crop import CropRecipe
from bench.data.label_spaces import LabelSpace, imagenet
from bench.errors import ConfigurationError, nearest_names
from bench.models.assembly import (
    classifier_of,
    import_extra,
    label_space_of,
    named_classes,
    one_line,
    outline_of,
    take_options,
)
from bench.models.checkpoints import read_checkpoint
from bench.models.classifier import Classifier
from bench.models.hub import Repository, check_repository, check_url
from bench.models.preprocessing import Preprocessing, resize_and_crop
from bench.models.source import ModelOutline, ModelSource
from bench.models.sources.zero_shot import HEADS, ZeroShot, make_head, read_lines, read_prompts, saved_head

OPTIONS = ("class_names", "templates", "head", "cache_dir")
"""Class names and prompt templates, as a list or a text file of one per line; a saved head matrix; where made ones are
kept."""
SCHEMAS = ("local-dir:", "hf-hub:")
INSTALL = "'snowwolf[openclip]'"


def outline(config: ModelConfig) -> ModelOutline:
    """Build the towers without weights, and look for the weights, the prompts and the head."""
    take_options(config, OPTIONS)
    _check_weights_at_hand(config)
    model = _bare_model(config.name)
    n_classes = len(read_prompts(config.options, INSTALL).class_names)
    if "head" in config.options:
        n_classes = saved_head(config.options["head"], _width(config.name)).shape[1]
    return outline_of(config, _preprocessing(config, model), _label_space(config, n_classes))


def load(config: ModelConfig) -> Classifier:
    """The image tower, with the head that the text tower makes of the prompts."""
    take_options(config, OPTIONS)
    _check_weights_at_hand(config)
    model = _make_model(config.name, weights=config.weights == "pretrained", checkpoint=config.checkpoint)
    if "head" in config.options:
        head = saved_head(config.options["head"], _width(config.name))
    else:
        prompts = read_prompts(config.options, INSTALL)
        folder = str(config.options.get("cache_dir", HEADS))
        head = make_head(_open_clip(), model, _parts(config.name)[0], prompts, _width(config.name), folder)
    network = ZeroShot(model.visual, head, model.logit_scale.detach().exp())
    preprocessing, space = _preprocessing(config, model), _label_space(config, head.shape[1])
    schema = next((prefix for prefix in SCHEMAS if config.name.startswith(prefix)), "")
    shown = Path(config.name).name if schema else config.name
    return classifier_of(replace(config, name=shown, options={}), network, preprocessing, space)  # the head is digested


def bare_network(config: ModelConfig) -> nn.Module:
    """The image tower without weights."""
    visual: nn.Module = _bare_model(config.name).visual
    return visual


def _open_clip() -> Any:
    return import_extra("open_clip", INSTALL, "openclip")


def _parts(name: str) -> tuple[str, str]:
    """Architecture and tag of the weights."""
    if name.startswith(SCHEMAS):
        return name, ""
    architecture, _, tag = name.partition("/")
    return architecture, tag


@lru_cache(maxsize=8)
def _bare_model(name: str) -> Any:
    with torch.device("meta"):
        return _make_model(name, weights=False, checkpoint=None, device="meta")


def _make_model(name: str, *, weights: bool, checkpoint: str | None, device: str = "cpu") -> Any:
    open_clip = _open_clip()
    architecture, tag = _parts(name)
    try:
        with torch.random.fork_rng(devices=[]), _without_warnings():
            torch.manual_seed(0)
            model = open_clip.create_model(
                architecture,
                pretrained=(checkpoint or tag or None) if weights else None,
                load_weights=weights,
                pretrained_text=False,
                precision="fp32",
                device=device,
                weights_only=True,
            )
    except Exception as error:
        raise ConfigurationError(f"could not make openclip:{name}: {one_line(error)}") from error
    return model.eval()


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Networks without weights are meant here; open_clip warns of each through the root logger."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(level)


def _check_weights_at_hand(config: ModelConfig) -> None:
    """Refuse an unknown architecture or tag, and weights that are neither here nor to be had."""
    open_clip = _open_clip()
    architecture, tag = _parts(config.name)
    wanted = config.checkpoint is None and config.weights == "pretrained"
    if config.name.startswith("local-dir:"):
        folder = Path(config.name.partition(":")[2])
        if not (folder / "open_clip_config.json").is_file():
            raise ConfigurationError(f"openclip:{config.name}: there is no {folder / 'open_clip_config.json'}")
        if wanted and not any((folder / file).is_file() for file in _hub_files()):
            raise ConfigurationError(f"openclip:{config.name}: it has no weights ({' or '.join(_hub_files())})")
        return
    if config.name.startswith("hf-hub:"):
        check_repository(
            f"openclip:{config.name}", Repository(config.name.partition(":")[2]), ["open_clip_config.json"]
        )
        return
    known = open_clip.list_models()
    if architecture not in known:
        raise ConfigurationError(f"open_clip has no model {architecture!r}: {nearest_names(architecture, known)}")
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if tag and tag not in tags:
        raise ConfigurationError(f"open_clip's {architecture} has no weights {tag!r}: {nearest_names(tag, tags)}")
    if not wanted:
        if config.checkpoint is not None:
            read_checkpoint(Path(config.checkpoint), "meta")
        return
    if not tag:
        named = nearest_names("", tags)
        raise ConfigurationError(f"openclip:{architecture} needs weights, openclip:{architecture}/TAG; {named}")
    _check_tag(config.name, open_clip.get_pretrained_cfg(architecture, tag))


def _check_tag(name: str, published: Mapping[str, Any]) -> None:
    if published.get("hf_hub"):
        owner, repository, *file = str(published["hf_hub"]).rstrip("/").split("/")
        check_repository(f"openclip:{name}", Repository(f"{owner}/{repository}"), file or _hub_files())
    elif published.get("url"):
        url = str(published["url"])
        if not (Path.home() / ".cache" / "clip" / url.rpartition("/")[2]).is_file():  # where open_clip keeps it
            check_url(f"openclip:{name}", url)


def _hub_files() -> tuple[str, str]:
    constants = _open_clip().constants
    return constants.HF_SAFE_WEIGHTS_NAME, constants.HF_WEIGHTS_NAME


def _preprocessing(config: ModelConfig, model: Any) -> Preprocessing:
    open_clip = _open_clip()
    stated = dict(open_clip.get_model_preprocess_cfg(model))
    architecture, tag = _parts(config.name)
    if tag:
        published = open_clip.get_pretrained_cfg(architecture, tag)
        stated.update(
            {key: published[key] for key in ("mean", "std", "interpolation", "resize_mode") if published.get(key)}
        )
    size = stated["size"]
    height, width = (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1]))
    if stated["resize_mode"] == "shortest":
        crop = resize_and_crop(max(height, width), (height, width), stated["interpolation"])
    elif stated["resize_mode"] == "squash":
        crop = CropRecipe(height, width, 1.0, "squash", stated["interpolation"])
    else:
        raise ConfigurationError(
            f"openclip:{config.name} resizes images by {stated['resize_mode']!r}, which pads them: no crop recipe has"
            " that"
        )
    return Preprocessing(crop, tuple(stated["mean"]), tuple(stated["std"]))


def _label_space(config: ModelConfig, n_classes: int) -> LabelSpace:
    names = read_lines(config.options.get("class_names"), "class_names")
    if names and len(names) != n_classes:
        raise ConfigurationError(f"model.options has {len(names)} class names and a head of {n_classes} classes")
    stated = named_classes("the prompts' classes", names) if names else imagenet()
    return label_space_of(config, n_classes, stated)


def _width(name: str) -> int:
    """Length of a feature."""
    return int(_open_clip().get_model_config(_parts(name)[0])["embed_dim"])


SOURCE = ModelSource(outline, load, bare_network, settings=("checkpoint", "weights", "options", "precision"))
