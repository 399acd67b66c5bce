"""Published figures of other people's runs, as data: each with its source, image size and number of images."""

from bench.references.published import (
    SOURCES,
    PublishedFigure,
    PublishedPairs,
    Source,
    find_published,
    published_fit,
    published_model,
    published_pairs,
)

__all__ = [
    "SOURCES",
    "PublishedFigure",
    "PublishedPairs",
    "Source",
    "find_published",
    "published_fit",
    "published_model",
    "published_pairs",
]
