"""The embedded cue-conflict set is what its recipe says, from sources that are shipped too."""

import hashlib
import json
from importlib.resources import files
from pathlib import Path

import pytest
from PIL import Image

from bench.data import DataConfig, load_dataset
from bench.data.categories import CATEGORIES, read_cues

DATA = Path(str(files("bench.data")))
SET, SOURCES = DATA / "cue_conflict_samples", DATA / "cue_conflict_sources"
RECIPE = json.loads((SET / "recipe.json").read_text())


def test_every_picture_is_listed_whole_and_in_conflict():
    pictures = {path.relative_to(SET).as_posix() for path in SET.rglob("*.png")}
    assert pictures == RECIPE["pictures"].keys()
    dataset = load_dataset(DataConfig(name="embedded", source="cue_conflict_samples"))
    assert set(dataset.image_ids) == pictures
    for image_id, label in zip(dataset.image_ids, dataset.labels.tolist(), strict=True):
        cues = read_cues(image_id)
        assert cues.shape == CATEGORIES[label] == image_id.partition("/")[0]
        assert cues.shape != cues.texture
        with Image.open(SET / image_id) as image:
            assert image.size == (224, 224)


def test_style_fell_by_nine_tenths_in_every_picture():
    for name, picture in RECIPE["pictures"].items():
        assert picture["losses"]["style"] <= 0.1 * picture["losses"]["start_style"], name


@pytest.mark.parametrize("kind", ["content", "style"])
def test_the_recipe_names_the_shipped_sources(kind):
    crops = json.loads((SOURCES / "sources.json").read_text())["crops"]
    for name, source in RECIPE[kind].items():
        encoded = (SOURCES / kind / f"{name}.jpg").read_bytes()
        assert hashlib.blake2b(encoded, digest_size=16).hexdigest() == source["digest"]
        assert crops[f"{kind}/{name}.jpg"]["package"] in ("foolbox", "scikit-image")


def test_the_set_stays_small():
    assert sum(path.stat().st_size for path in [*SET.rglob("*"), *SOURCES.rglob("*")] if path.is_file()) < 6e6
