"""From a model config to a classifier, and all that can be checked before its weights are loaded."""

import torch

import bench.models.sources  # noqa: F401  # registers the built-in ones
from bench.configs import ModelConfig
from bench.errors import ConfigurationError
from bench.models.assembly import check_settings, name_of, one_line
from bench.models.classifier import Classifier
from bench.models.source import ModelOutline, resolve


def check_model(config: ModelConfig) -> ModelOutline:
    """Refuse, before any work, a model that cannot be loaded.

    The network is built without memory for its weights where its source can, and a checkpoint's names and shapes are
    compared with it; published weights are in a cache of this machine, or their hub has them.

    Raises:
        ConfigurationError: unknown source, architecture, tag, option or checkpoint, with the nearest names; a
            checkpoint that does not open or fit; a package that is not installed; a hub that does not answer.
    """
    check_settings(config)
    source, resolved = resolve(config)
    outline = source.outline(resolved)
    if config.input_size is not None:
        check_input_size(config, (outline.crop.height, outline.crop.width))
    return outline


def display_name(config: ModelConfig) -> str:
    """What reports call the classifier: its alias, or its source and name, and the checkpoint's stem.

    Raises:
        ConfigurationError: an unknown source.
    """
    return name_of(resolve(config)[1])


def check_input_size(config: ModelConfig, size: tuple[int, int]) -> None:
    """Refuse, before any work, a network that does not take images of ``size``, height and width.

    A network that is not known before it is loaded is not checked.

    Args:
        config: what ``check_model`` lets pass.
        size: in pixels.

    Raises:
        ConfigurationError: saying why, in the network's own words.
    """
    source, resolved = resolve(config)
    if source.bare_network is None:
        return
    network = source.bare_network(resolved).eval()
    try:
        with torch.no_grad():
            network(torch.empty(1, 3, *size, device="meta"))
    except Exception as error:  # an assertion, a shape that does not fit, ...: architectures differ
        raise ConfigurationError(
            f"{config.name} does not take images of {size[0]} x {size[1]} pixels ({one_line(error)})"
        ) from error


def load_classifier(config: ModelConfig) -> Classifier:
    """The classifier of ``config`` on the CPU, frozen, in eval mode.

    Raises:
        ConfigurationError: the model is unknown, or its weights cannot be had or do not fit.
    """
    check_settings(config)
    source, resolved = resolve(config)
    return source.load(resolved)
