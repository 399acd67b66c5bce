"""The atlas end to end: every chapter of a small real network, refusals in words, hostile names harmless."""

import pytest
from hydra import compose, initialize_config_dir
from PIL import Image

from bench.errors import ConfigurationError
from bench.reports.atlas import Chapter, Panel, render_atlas
from bench.tasks import visualize
from bench.tasks.atlas_chapters import CHAPTERS
from bench.tasks.cli import CONF
from bench.tasks.config import register_schemas

HOSTILE = "../<script>alert(1)</script>"


def configured(tmp_path, *overrides):
    register_schemas()
    places = [f"reports={tmp_path}", f"runtime.cache_dir={tmp_path}/cache", "task=visualize", "images=1", "top=1"]
    with initialize_config_dir(str(CONF), version_base="1.3", job_name="test"):
        return compose("config", overrides=[*places, *overrides])


def test_every_chapter_of_lite0_and_the_dogs_evidence_is_on_the_dog(tmp_path):
    parts = [name for name in CHAPTERS if name not in ("units", "patches")]  # minutes; their parts are tested alone
    config = configured(
        tmp_path, "model=lite0", f"parts=[{','.join(parts)}]", "maximise.steps=2", "data.limit=6", "classes=[243]"
    )
    visualize.check(config)
    visualize.run(config)
    [folder] = (tmp_path / "default" / "atlas").iterdir()
    page = (folder / "index.html").read_text()
    assert "Not for this classifier" not in page
    for part in parts:
        assert f'<section id="{part}">' in page
    pictures = sorted(path.name for path in folder.glob("*.png"))
    assert {"filters.png", "template_0.png", "maps_0.png", "saliency_0.png", "object_0.png", "tsne.png"} <= set(
        pictures
    )
    for path in folder.glob("*.png"):
        with Image.open(path) as picture:
            picture.verify()


def test_what_a_network_cannot_show_is_said_and_the_rest_goes_on(tmp_path):
    model = ["model.name=mixer_s32_224", "model.weights=random", "model.num_classes=10", "model.alias=mixer"]
    config = configured(tmp_path, *model, "parts=[filters,feature_maps,guided]", "data.limit=4")
    visualize.run(config)
    [folder] = (tmp_path / "default" / "atlas").iterdir()
    page = (folder / "index.html").read_text()
    assert "Not for this classifier" in page  # GELU is no rectifier: guided backprop is refused
    assert (folder / "filters.png").exists()


def test_names_are_escaped_and_stay_inside():
    panel = Panel("a.png", Image.new("RGB", (4, 4)), HOSTILE)
    page = render_atlas(HOSTILE, [Chapter("x", "title", "note", [panel], HOSTILE)])
    assert "<script>alert" not in page


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("parts=[filtres]", "did you mean 'filters'"),
        ("image=nowhere.jpg", "no image file"),
        ("maximise.steps=0", "at least 1"),
        ("+maximise.stepz=1", "maximise.stepz"),
        ("top=0", "at least 1"),
    ],
)
def test_mistakes_are_refused(tmp_path, override, message):
    with pytest.raises(ConfigurationError, match=message):
        visualize.check(configured(tmp_path, override))
