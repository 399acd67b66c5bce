"""The atlas end to end: every chapter of a small real network, refusals in words, hostile names harmless."""

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from PIL import Image

from bench.cli.schemas import register_schemas
from bench.conf_files import CONF
from bench.data import DataConfig, load_dataset, open_crops
from bench.data.regions import read_regions
from bench.errors import ConfigurationError
from bench.explain import attribute
from bench.explain.activation_maximisation import MaximisationConfig, maximise, noise_start
from bench.explain.localisation import energy_inside, pointing_hits
from bench.models import ModelConfig, load_classifier
from bench.reports.atlas.chapters import CHAPTERS
from bench.reports.atlas.page import Chapter, Panel, render_atlas
from bench.tasks import visualize

HOSTILE = "../<script>alert(1)</script>"


def configured(tmp_path, *overrides):
    register_schemas()
    places = [f"reports={tmp_path}", f"runtime.cache_dir={tmp_path}/cache", "task=visualize", "images=1", "top=1"]
    with initialize_config_dir(str(CONF), version_base="1.3", job_name="test"):
        return compose("config", overrides=[*places, *overrides])


def test_every_chapter_of_lite0_is_drawn(tmp_path):
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
    model = ["model.name=resnet10t", "model.weights=random", "model.num_classes=1000", "model.alias=small"]
    config = configured(tmp_path, *model, "parts=[filters,patches]", "units=['layer1:9999']", "data.limit=4")
    visualize.run(config)
    [folder] = (tmp_path / "default" / "atlas").iterdir()
    page = (folder / "index.html").read_text()
    assert "Not for this classifier: layer1 has 64 channels" in page
    assert (folder / "filters.png").exists()


def test_a_method_that_is_refused_does_not_take_another_with_it(tmp_path, monkeypatch):
    def only_grad_cam(classifier, images, targets, method, **settings):
        if method != "grad_cam":
            raise ConfigurationError("no rectifiers here")
        return attribute(classifier, images, targets, method, **settings)

    monkeypatch.setattr("bench.reports.atlas.inspection.attribute", only_grad_cam)
    visualize.run(configured(tmp_path, "parts=[grad_cam,guided]", "data.limit=4"))
    [folder] = (tmp_path / "default" / "atlas").iterdir()
    assert (folder / "cam_0_0_grad_cam.png").exists()
    assert not (folder / "cam_0_0_guided_grad_cam.png").exists()
    assert "Not for this classifier: no rectifiers here" in (folder / "index.html").read_text()


def test_the_dogs_evidence_is_on_the_dog_and_a_dog_can_be_made(tmp_path):
    classifier = load_classifier(ModelConfig(name="lite0"))
    dataset = load_dataset(DataConfig(name="samples", source="samples")).subset(np.array([0]), "dog")
    crops = open_crops(dataset, classifier.crop, cache_dir=tmp_path, cache_gb=1, workers=0, on_error="refuse")
    images, mastiff = crops.read([0]).float() / 255, torch.tensor([243])
    assert crops.labels.tolist() == [243]
    heat = attribute(classifier, images, mastiff, "grad_cam")
    box = read_regions(crops, [0], "samples")[:, 0] > 0
    assert pointing_hits(heat, box).item() == 1
    assert energy_inside(heat, box).item() > 0.7
    start = noise_start(classifier.input_size, [0])
    made = maximise(lambda x: classifier(x)[:, 243], start, MaximisationConfig(steps=60, jitter=4))
    before, after = (classifier(shown).softmax(dim=1)[0] for shown in (start, made))
    # how far it gets in 60 steps depends on the rounding of the machine's kernels
    assert before[243] < 0.05
    assert after[243] > 0.5
    assert after.argmax() == 243


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
        ("+maximise.stepz=1", "maximise has no parameter 'stepz': did you mean"),
        ("top=0", "at least 1"),
    ],
)
def test_mistakes_are_refused(tmp_path, override, message):
    with pytest.raises(ConfigurationError, match=message):
        visualize.check(configured(tmp_path, override))
