"""A zero-shot head: class names and prompt templates, turned once into a matrix by CLIP's text tower, then kept."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bench.errors import ConfigurationError
from bench.models.assembly import import_extra, one_line
from bench.models.classifier import state_digest

HEADS = "~/.cache/snowwolf/heads"
"""Where heads are kept, unless ``model.options.cache_dir`` says otherwise."""


class ZeroShot(nn.Module):
    """The image tower of a CLIP and a head: ``scale * (normalised feature) @ head`` (Radford et al. 2021, section 3.1).

    Args:
        visual: ``(B,3,H,W)`` -> features ``(B,D)``.
        head: ``(D,K)`` normalised text features, one column per class.
        scale: of the logits: ``exp(logit_scale)``.
    """

    head: Tensor
    scale: Tensor

    def __init__(self, visual: nn.Module, head: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.visual = visual
        self.register_buffer("head", head)
        self.register_buffer("scale", scale)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B,K)`` of normalised ``images``, ``(B,3,H,W)``."""
        features = self.visual(images)
        features = features[0] if isinstance(features, tuple) else features
        return self.scale * nn.functional.normalize(features, dim=-1) @ self.head


@dataclass(frozen=True)
class Prompts:
    """What the text tower reads."""

    class_names: tuple[str, ...]
    """By column."""
    templates: tuple[str, ...]
    """Each with one ``{}``, where the class name goes; a class's feature is the mean over them."""


def read_prompts(options: Mapping[str, Any], install: str) -> Prompts:
    """Class names and templates: those of ``model.options``, else the 1,000 and the 80 that open_clip publishes.

    Raises:
        ConfigurationError: an empty list, a file that is not there, or a template without its one ``{}``.
    """
    metadata = import_extra("open_clip.zero_shot_metadata", install, "openclip")
    names = read_lines(options.get("class_names"), "class_names") or list(metadata.IMAGENET_CLASSNAMES)
    own = read_lines(options.get("templates"), "templates")
    for template in own:
        if template.count("{}") != 1:
            raise ConfigurationError(f"model.options.templates: {template!r} needs one {{}}, where the class name goes")
    usual = [str(template("{}")) for template in metadata.OPENAI_IMAGENET_TEMPLATES]
    return Prompts(tuple(names), tuple(own or usual))


def read_lines(value: Any, option: str) -> list[str]:
    """A list of texts, or the lines of the text file that it names; empty for none."""
    if value is None:
        return []
    if isinstance(value, str):
        path = Path(value).expanduser()
        if not path.is_file():
            raise ConfigurationError(f"model.options.{option}={value}: give a list, or a text file of one per line")
        value = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not isinstance(value, Sequence) or not value:
        raise ConfigurationError(f"model.options.{option} is empty: give a list, or a text file of one per line")
    return [str(item) for item in value]


def saved_head(path: str, width: int) -> Tensor:
    """A head matrix ``(D,K)``: the one tensor of a safetensors file."""
    file = Path(str(path)).expanduser()
    if not file.is_file():
        raise ConfigurationError(f"model.options.head={path}: there is no such file")
    try:
        tensors = list(load_file(file).values())
    except SafetensorError as error:
        raise ConfigurationError(f"model.options.head={path} is no safetensors file: {one_line(error)}") from error
    if len(tensors) != 1 or tensors[0].ndim != 2 or tensors[0].shape[0] != width:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors)
        raise ConfigurationError(
            f"model.options.head={path} holds {shapes}; a head is one matrix of shape ({width}, classes), its columns"
            " the classes' text features"
        )
    return tensors[0].float()


def make_head(open_clip: Any, model: Any, name: str, prompts: Prompts, width: int, folder: str = HEADS) -> Tensor:
    """The head ``(D,K)`` that the text tower makes of the prompts; kept under the digest of all that goes into it.

    Args:
        open_clip: the library.
        model: its CLIP, with weights.
        name: of the architecture, which names the tokenizer.
        prompts: what the text tower reads.
        width: ``D``.
        folder: where heads are kept.
    """
    tokenizer = open_clip.get_tokenizer(name)
    text = {key: value for key, value in model.state_dict().items() if not key.startswith("visual.")}
    facts = [_digest_of(text), type(tokenizer).__name__, getattr(tokenizer, "context_length", 0)]
    identity = json.dumps([*facts, prompts.class_names, prompts.templates])
    kept = Path(folder).expanduser() / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.safetensors"
    if kept.is_file():
        return saved_head(str(kept), width)
    head: Tensor = open_clip.build_zero_shot_classifier(model, tokenizer, prompts.class_names, prompts.templates)
    head = head.contiguous()
    _keep(head, kept)
    return head


def _digest_of(tensors: Mapping[str, Tensor]) -> str:
    holder = nn.Module()
    for name, value in tensors.items():
        holder.register_buffer(name.replace(".", "/"), value)
    return state_digest(holder)


def _keep(head: Tensor, path: Path) -> None:
    """Write it whole or not at all: other processes may make the same one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    os.close(handle)
    save_file({"head": head}, temporary)
    Path(temporary).replace(path)
