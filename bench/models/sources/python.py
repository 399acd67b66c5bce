"""A function of the user's that returns a network: ``my_package.models:build``, ``file.py:build``."""

import hashlib
import importlib
import importlib.util
import inspect
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import timm
import torch
from torch import nn

from bench.configs import ModelConfig
from bench.errors import ConfigurationError, nearest_names
from bench.models.assembly import classifier_of, count_logits, label_space_of, one_line
from bench.models.checkpoints import load_weights
from bench.models.classifier import Classifier, has_gradient
from bench.models.preprocessing import Preprocessing, timm_preprocessing, with_settings
from bench.models.source import ModelOutline, ModelSource


def outline(config: ModelConfig) -> ModelOutline:
    """Call the function: nothing else knows its network."""
    path = _file(config.name)
    version = path.stat().st_mtime_ns if path is not None and path.is_file() else 0
    return _outline(json.dumps(asdict(config), sort_keys=True, default=str), version)


@lru_cache(maxsize=64)
def _outline(config: str, version: int) -> ModelOutline:
    """Once for all jobs of a sweep; ``version`` tells edits of the file apart."""
    del version
    classifier = load(ModelConfig(**json.loads(config)))
    return ModelOutline(classifier.label_space, classifier.crop, has_gradient(classifier))


def load(config: ModelConfig) -> Classifier:
    """The network that the function returns.

    A ``Classifier``, as ``bench.make_classifier`` returns it, states its own preprocessing and classes; a timm network
    has those of its configuration; any other network takes pixels in [0,1] at ``model.input_size``, unless
    ``model.mean`` and ``model.std`` say otherwise.
    """
    function = _function(config.name)
    made = _call(function, config)
    code = _code_digest(function, made)
    where, _, name = config.name.rpartition(":")
    shown = replace(config, name=f"{Path(where).stem if _file(config.name) else where}:{name}")
    network = made.network if isinstance(made, Classifier) else made
    if config.checkpoint is not None:
        load_weights(network, Path(config.checkpoint), name=config.name)
    if isinstance(made, Classifier):
        stated = Preprocessing(made.crop, tuple(made.mean.flatten().tolist()), tuple(made.std.flatten().tolist()))
        space = label_space_of(config, made.label_space.n_classes, made.label_space)
        return classifier_of(shown, network, stated, space, code=code)
    described = getattr(made, "pretrained_cfg", None)
    preprocessing = timm_preprocessing(timm.data.resolve_model_data_config(made)) if described else None
    crop = with_settings(preprocessing, config).crop
    n_classes = count_logits(network, (crop.height, crop.width), f"python:{config.name}")
    return classifier_of(shown, network, preprocessing, label_space_of(config, n_classes), code=code)


def _file(name: str) -> Path | None:
    """The Python file of ``file.py:function``; None for a module's name."""
    where = name.rpartition(":")[0]
    return Path(where).expanduser() if where.endswith(".py") else None


def _function(name: str) -> Callable[..., Any]:
    where, colon, function = name.rpartition(":")
    if not colon or not where or not function.isidentifier():
        raise ConfigurationError(f"model python:{name}: give python:MODULE:FUNCTION or python:FILE.py:FUNCTION")
    path = _file(name)
    module = _module(where) if path is None else _module_of_file(path)
    found = getattr(module, function, None)
    if not callable(found):
        names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ConfigurationError(
            f"model python:{name}: {where} has no function {function!r}; {nearest_names(function, names)}"
        )
    callable_: Callable[..., Any] = found
    return callable_


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:  # whatever the module's own code raises
        raise ConfigurationError(
            f"model source python: the module {name} cannot be imported: {one_line(error)}; a file is named by its"
            " path, python:FILE.py:FUNCTION"
        ) from error


def _module_of_file(path: Path) -> ModuleType:
    if not path.is_file():
        hint = nearest_names(path.name, [file.name for file in path.parent.glob("*.py")])
        raise ConfigurationError(f"model source python: there is no file {path}; {hint}".rstrip("; "))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    name = f"snowwolf_model_{path.stem}_{digest}"  # edited, it is another module
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    folder = str(path.resolve().parent)
    if folder not in sys.path:  # for what lies beside it
        sys.path.append(folder)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the file's own code raises
        del sys.modules[name]
        raise ConfigurationError(f"model source python: {path} cannot be imported: {one_line(error)}") from error
    return module


def _call(function: Callable[..., Any], config: ModelConfig) -> nn.Module:
    try:
        inspect.signature(function).bind(**config.options)
    except TypeError as error:
        raise ConfigurationError(
            f"model python:{config.name} cannot be called with model.options"
            f" ({', '.join(config.options) or 'none'}): {error}"
        ) from error
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            made = function(**config.options)
    except Exception as error:  # whatever the function's own code raises
        raise ConfigurationError(f"model python:{config.name} fails: {one_line(error)}") from error
    if not isinstance(made, nn.Module):
        raise ConfigurationError(f"model python:{config.name} returns a {type(made).__name__}, not a torch.nn.Module")
    return made.eval()


def _code_digest(function: Callable[..., Any], made: nn.Module) -> str:
    """Digest of the files with the function and the network's class: two that differ are two classifiers."""
    network = made.network if isinstance(made, Classifier) else made
    files = {inspect.getsourcefile(item) for item in (function, type(network)) if not _is_installed(item)}
    texts = sorted(Path(file).read_bytes() for file in files if file is not None)
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:16]


def _is_installed(item: Any) -> bool:
    """Whether its code comes with a package, whose version the provenance has."""
    try:
        file = inspect.getsourcefile(item)
    except TypeError:  # built in
        return True
    return file is None or "site-packages" in file


SOURCE = ModelSource(outline, load, settings=("checkpoint", "options", "precision"))
