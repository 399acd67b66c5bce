"""Look up published figures in the packaged table ``published.parquet``; ``bench.references.renew`` makes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import DataError
from bench.metrics.effective_robustness import LogitFit, fit_logits

TABLE = "published.parquet"
COLUMNS = ("source", "model", "image_size", "figure", "value", "n_images")
"""Of the table: ``value`` is in percent, with the digits that were published; ``image_size`` 0 where none is stated."""
TORCHVISION_TAG = ".tv_in1k"
"""timm's tag of torchvision's first weights, which imagenet-testbed knows by the name of the architecture alone."""


@dataclass(frozen=True)
class Source:
    """Where figures were published."""

    title: str
    """What to call it."""
    place: str
    """Repository and folder."""
    licence: str
    """Of its figures."""
    protocol: str
    """How they were measured."""
    taken: str
    """When the copy was taken."""


TIMM, TESTBED, ROBUSTBENCH = "timm", "imagenet-testbed", "robustbench"
SOURCES: Mapping[str, Source] = {
    TIMM: Source(
        "timm's result tables",
        "huggingface/pytorch-image-models, results/",
        "Apache-2.0",
        "each model at its own test size and crop; ImageNet-A and -R among their 200 classes, as are clean images",
        "2026-11",
    ),
    TESTBED: Source(
        "imagenet-testbed (Taori et al. 2020)",
        "modestyachts/imagenet-testbed",
        "MIT",
        "224-pixel crops; ImageNet-C from its files on disk",
        "2026-11",
    ),
    ROBUSTBENCH: Source(
        "RobustBench",
        "RobustBench/robustbench, model_info/",
        "MIT",
        "5,000 listed images of ImageNet, 10,000 of CIFAR; AutoAttack standard",
        "2026-11",
    ),
}
FITS: Mapping[str, str] = {
    "imagenet_v2_accuracy": "clean_accuracy",
    "imagenet_sketch_accuracy": "clean_accuracy",
    "imagenet_a_accuracy": "imagenet_a_clean_accuracy",
    "imagenet_r_accuracy": "imagenet_r_clean_accuracy",
}
"""Figure under shift -> figure on clean images of the same classes: what lines are fitted over, of timm's models."""


@dataclass(frozen=True)
class PublishedFigure:
    """One published figure of one model."""

    source: str
    """Key of ``SOURCES``."""
    model: str
    """As the source calls it."""
    image_size: int
    """Side in pixels; 0 where the source states none."""
    figure: str
    """What was measured."""
    value: float
    """In percent."""
    n_images: int
    """Images it rests on."""


@dataclass(frozen=True)
class PublishedPairs:
    """Two figures of many models, each model once per image size and crop."""

    models: NDArray[np.str_]
    """``(A,)``."""
    clean: NDArray[np.float64]
    """``(A,)`` in [0,1]."""
    shifted: NDArray[np.float64]
    """``(A,)`` in [0,1]."""


@cache
def _table() -> pd.DataFrame:
    with (files("bench.references") / TABLE).open("rb") as file:
        return pd.read_parquet(file)


@cache
def _by_model() -> Mapping[str, pd.DataFrame]:
    return {str(model): rows for model, rows in _table().groupby("model", sort=False, observed=True)}


def find_published(model: str, figure: str, image_size: int) -> PublishedFigure | None:
    """The published figure of a model; None where there is none for that image size.

    Args:
        model: timm's name with tag (``resnet50.a1_in1k``), or RobustBench's with data set and threat model
            (``imagenet/Linf/Salman2020Do_R50``).
        figure: ``clean_accuracy``, ``imagenet_v2_accuracy``, ``mean_corruption_error``, ...
        image_size: side in pixels of the classifier's input. Figures whose source states no size match any.
    """
    for name, sources in _names(model):
        rows = _by_model().get(name)
        if rows is None:
            continue
        chosen = rows[(rows["figure"] == figure) & rows["source"].isin(sources)]
        chosen = chosen[chosen["image_size"].isin([0, image_size])]
        if len(chosen):
            row = chosen.iloc[0]
            return PublishedFigure(
                source=str(row["source"]),
                model=name,
                image_size=int(row["image_size"]),
                figure=figure,
                value=float(row["value"]),
                n_images=int(row["n_images"]),
            )
    return None


def published_model(model: str) -> bool:
    """Whether any figure of a model is published."""
    return any(name in _by_model() for name, _ in _names(model))


def _names(model: str) -> list[tuple[str, tuple[str, ...]]]:
    """What the sources call a model."""
    names: list[tuple[str, tuple[str, ...]]] = [(model, (TIMM, ROBUSTBENCH))]
    if model.endswith(TORCHVISION_TAG):
        names.append((model.removesuffix(TORCHVISION_TAG), (TESTBED,)))
    return names


@cache
def published_pairs(figure: str) -> PublishedPairs:
    """Timm's models on a shifted set and on clean images of the same classes.

    Args:
        figure: a key of ``FITS``.

    Raises:
        DataError: there is no such pair of figures.
    """
    if figure not in FITS:
        raise DataError(f"no fit is published for {figure}: there are those of {', '.join(FITS)}")
    table = _table()
    of_timm = table[table["source"] == TIMM]
    clean, shifted = (of_timm[of_timm["figure"] == name] for name in (FITS[figure], figure))
    # a model may be listed at one size with several crops: rows of one model and size are in one order in all tables
    keyed = [
        rows.assign(place=rows.groupby(["model", "image_size"], observed=True).cumcount()) for rows in (clean, shifted)
    ]
    joined = keyed[0].merge(keyed[1], on=["model", "image_size", "place"], suffixes=("_clean", "_shifted"))
    return PublishedPairs(
        joined["model"].to_numpy(dtype=str),
        joined["value_clean"].to_numpy(dtype=float) / 100,
        joined["value_shifted"].to_numpy(dtype=float) / 100,
    )


@cache
def published_fit(figure: str) -> LogitFit:
    """logit(shifted) = slope x logit(clean) + intercept over timm's models: what one accuracy lets expect of the other.

    Raises:
        DataError: as ``published_pairs``.
    """
    pairs = published_pairs(figure)
    return fit_logits(pairs.clean, pairs.shifted)
