"""A classifier from whatever a caller has: a name, a network, or a list of them."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import timm
from torch import nn

from bench.data import CropRecipe
from bench.data.label_spaces import LabelSpace, imagenet_with, known_as, unnamed_classes
from bench.errors import ConfigurationError, nearest_names
from bench.models import Classifier, ModelConfig, load_classifier
from bench.models.assembly import count_logits
from bench.models.preprocessing import Preprocessing, pixels_of_size, read_transform, timm_preprocessing


def load(name: str, **options: Any) -> Classifier:
    """A classifier by name, frozen and in eval mode, on the CPU.

    Args:
        name: a packaged model (``lite0``), a timm architecture with or without tag (``resnet50.a1_in1k``),
            ``hf-hub:owner/model``, or a source and a name (``torchvision:resnet50``; docs/models.md).
        **options: fields of ``bench.models.ModelConfig``: ``checkpoint``, ``weights``, ``num_classes``, ``alias``, ...

    Raises:
        ConfigurationError: the model or an option is unknown, or its weights cannot be had or do not fit.
    """
    known = [field.name for field in fields(ModelConfig) if field.name != "name"]
    for option in options:
        if option not in known:
            raise ConfigurationError(f"load has no option {option!r}: {nearest_names(option, known)}")
    return load_classifier(ModelConfig(name=name, **options))


def make_classifier(
    network: nn.Module,
    *,
    name: str | None = None,
    transform: Callable[..., Any] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    input_size: int | tuple[int, int] | None = None,
    class_names: Sequence[str] | None = None,
    n_classes: int | None = None,
) -> Classifier:
    """A classifier from any network: its normalisation is put inside, its parameters are frozen.

    Args:
        network: ``(B,3,H,W)`` float, normalised -> logits ``(B,K)``. It is put in eval mode.
        name: what reports call it; the class's name when left out.
        transform: the evaluation transform of torchvision or timm that goes with the network: mean, std, input size
            and crop are read from it.
        mean: per channel, in [0,1] units; 0 when left out, for networks that take pixels in [0,1].
        std: per channel, in [0,1] units; 1 when left out.
        input_size: side, or height and width, in pixels. Images of that size are shown as they are where they come as
            tensors; others are resized to ``input_size / 0.875`` and cropped from the centre.
        class_names: by logit column; for ImageNet's 1,000 classes not needed.
        n_classes: logits, where class names are left out; found by a forward pass when left out, too.

    Raises:
        ConfigurationError: no input size, or a network that does not answer logits for it.
    """
    chosen = _preprocessing(network, transform, mean, std, input_size)
    label_space = _label_space(network, chosen.crop, class_names, n_classes)
    title = name or str(getattr(network, "name", "") or type(network).__name__)
    return Classifier(
        title, network.eval(), mean=chosen.mean, std=chosen.std, crop=chosen.crop, label_space=label_space
    )


def as_classifiers(model: Any, shown_size: tuple[int, int] | None, **settings: Any) -> list[Classifier]:
    """Every classifier of ``model``: a name, a network, a ``Classifier``, or a list of them.

    Args:
        model: see above.
        shown_size: height and width of images that are crops already; the input size of networks of which none is
            known. None for images of any size.
        **settings: of ``make_classifier``, for the networks among them.

    Raises:
        ConfigurationError: something else, an empty list, or two classifiers of one name.
    """
    models = list(model) if isinstance(model, list | tuple) else [model]
    classifiers = [_as_classifier(item, shown_size, settings) for item in models]
    names = [classifier.name for classifier in classifiers]
    if not names:
        raise ConfigurationError("no model was given")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ConfigurationError(
            f"two classifiers are called {twice[0]!r}: give names, make_classifier(network, name=...)"
        )
    return classifiers


def _as_classifier(model: Any, shown_size: tuple[int, int] | None, settings: dict[str, Any]) -> Classifier:
    if isinstance(model, str):
        return load(model)
    if isinstance(model, Classifier):
        return model
    if isinstance(model, nn.Module):
        has_size = getattr(model, "pretrained_cfg", None) or not settings.keys().isdisjoint(("transform", "input_size"))
        return make_classifier(model, **settings if has_size else {**settings, "input_size": shown_size})
    raise ConfigurationError(f"a model is a name, a torch.nn.Module, or a list of them, not a {type(model).__name__}")


def _preprocessing(
    network: nn.Module,
    transform: Callable[..., Any] | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    input_size: int | tuple[int, int] | None,
) -> Preprocessing:
    """From the transform, timm's configuration of the network, or the figures themselves, which go first."""
    found: Preprocessing | None = None
    if transform is not None:
        found = read_transform(transform)
    elif getattr(network, "pretrained_cfg", None):
        found = timm_preprocessing(timm.data.resolve_model_data_config(network))
    if input_size is not None:
        height, width = (input_size, input_size) if isinstance(input_size, int) else input_size
        crop = pixels_of_size((height, width)).crop
    elif found is not None:
        crop = found.crop
    else:
        raise ConfigurationError(
            f"the input size of {type(network).__name__} is not known: give input_size=PIXELS (with mean= and std=,"
            " unless it takes pixels in [0,1]), or transform=, the evaluation transform that goes with it"
        )
    zeros, ones = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    return Preprocessing(
        crop,
        tuple(mean if mean is not None else found.mean if found else zeros),
        tuple(std if std is not None else found.std if found else ones),
    )


def _label_space(
    network: nn.Module, crop: CropRecipe, class_names: Sequence[str] | None, n_classes: int | None
) -> LabelSpace:
    size = (crop.height, crop.width)
    found = count_logits(network, size, type(network).__name__) if n_classes is None else n_classes
    if class_names is None:
        return imagenet_with(found) or unnamed_classes(found)
    if len(class_names) != found:
        raise ConfigurationError(f"{len(class_names)} class names were given for a network of {found} logits")
    return known_as(LabelSpace("the network's classes", found, tuple(class_names)))
