"""``task=stylize``: the published layout, the recipe, resuming, and errors that say what to do."""

import json
from pathlib import Path

import hydra
import numpy as np
import pytest
import torch
from PIL import Image

from bench.cli.schemas import register_schemas
from bench.conf_files import CONF
from bench.errors import ConfigurationError, DataError
from bench.explain import stimulus_set, style_transfer
from bench.models import ModelConfig, hub, load_classifier
from bench.tasks import stylize

SOURCES = CONF.parent / "bench" / "data" / "cue_conflict_sources"
CONTENT, STYLE = SOURCES / "content", SOURCES / "style"
QUICK = (
    "size=64",
    "transfer.octaves=1",
    "transfer.content_octave=0",
    "transfer.steps=2",
    "runtime.device=cpu",
    "backbone.name=lite0",
)


def compose(*overrides):
    register_schemas()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("config", overrides=["task=stylize", *QUICK, *overrides])


@pytest.fixture
def small_set(tmp_path):
    """A content folder and a style folder: cat1, dog1 and bird1, cat1."""
    for kind, source, names in (("content", CONTENT, ("cat1", "dog1")), ("style", STYLE, ("bird1", "cat1"))):
        (tmp_path / kind).mkdir()
        for name in names:
            (tmp_path / kind / f"{name}.jpg").write_bytes((source / f"{name}.jpg").read_bytes())
    return (f"content={tmp_path}/content", f"style={tmp_path}/style", f"out={tmp_path}/out")


def test_a_set_has_the_published_layout_and_a_recipe_and_resumes(small_set, tmp_path):
    config = compose(*small_set, "seed=5", "pairs=3")
    stylize.check(config)
    stylize.run(config)
    out = tmp_path / "out"
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    names = {"cat/cat1-bird1.png", "cat/cat1-cat1.png", "dog/dog1-bird1.png", "dog/dog1-cat1.png"}
    assert written == {*names, "recipe.json"}
    assert all(Image.open(out / name).size == (64, 64) for name in names)

    recipe = json.loads((out / "recipe.json").read_text())
    lite0 = load_classifier(ModelConfig(name="lite0"))
    assert (recipe["backbone"], recipe["weights_digest"]) == ("lite0", lite0.weights_digest)
    assert recipe["seed"] == 5
    assert recipe["transfer"]["content_layers"] == ["blocks.3.0.bn1"]
    assert len(recipe["transfer"]["style_layers"]) == 5
    assert recipe["transfer"]["optimizer"] == "lbfgs"
    assert {"torch", "timm"} <= recipe["run"]["packages"].keys()
    assert recipe["content"].keys() == {"cat1", "dog1"}
    assert recipe["pictures"].keys() == names
    picture = recipe["pictures"]["dog/dog1-cat1.png"]
    assert picture["seed"] == style_transfer.pair_seed(5, "dog1", "cat1")
    assert picture["losses"]["style"] < picture["losses"]["start_style"]

    before = {name: (out / name).stat().st_mtime_ns for name in names}
    lost = "cat/cat1-bird1.png"
    pixels = torch.from_numpy(np.array(Image.open(out / lost))).float()
    (out / lost).unlink()
    stylize.run(config)
    again = torch.from_numpy(np.array(Image.open(out / lost))).float()
    assert (again - pixels).abs().max() <= 2, "the same picture, whatever its batch"
    assert all((out / name).stat().st_mtime_ns == before[name] for name in names - {lost}), "kept, not made again"
    assert json.loads((out / "recipe.json").read_text())["pictures"].keys() == names

    with pytest.raises(ConfigurationError, match="made by another recipe"):
        stylize.run(compose(*small_set, "seed=6"))


def test_a_run_that_is_killed_leaves_whole_pictures_only(small_set, tmp_path, monkeypatch):
    calls = []
    original = stimulus_set.transfer_style

    def dying(*args, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*args, **options)

    monkeypatch.setattr(stimulus_set, "transfer_style", dying)
    with pytest.raises(KeyboardInterrupt):
        stylize.run(compose(*small_set, "pairs=2"))
    left = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(left) == 2
    assert all(Image.open(path).size == (64, 64) for path in left)
    stylize.run(compose(*small_set, "pairs=2"))
    assert len(calls) == 3, "only the missing pairs"


def test_two_files_give_one_picture(tmp_path):
    files = (f"content={CONTENT}/cat1.jpg", f"style={STYLE}/chair1.jpg")
    stylize.run(compose(*files, f"out={tmp_path}/striped.png"))
    assert {path.name for path in tmp_path.iterdir()} == {"striped.png", "striped.recipe.json"}
    stylize.run(compose(*files, f"reports={tmp_path}/reports"))
    assert (tmp_path / "reports" / "default" / "stylized" / "cat1-chair1.png").exists()


def test_the_backbone_is_vgg19_where_its_weights_are(monkeypatch, small_set):
    config = compose(*small_set, "backbone.name=auto")
    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda *_, **__: None)
    assert stylize.read_stimuli(config).backbone.name == "lite0"
    asked = []
    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda *names, **_: asked.append(names) or "/cache/file")
    assert stylize.read_stimuli(config).backbone.name == "vgg19"
    assert asked[0] == ("timm/vgg19.tv_in1k", "model.safetensors")


def test_without_weights_the_message_says_what_to_do(monkeypatch):
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        ConfigurationError, match=r"give backbone\.checkpoint=FILE .*; backbone\.name=lite0 needs no do"
    ):
        stimulus_set.load_backbone(ModelConfig(name="vgg19"))


def test_mistakes_are_refused_before_any_work(small_set, tmp_path):
    with pytest.raises(ConfigurationError, match="needs content=FILE"):
        stylize.check(compose())
    with pytest.raises(ConfigurationError, match="unknown model 'vgg91'"):
        stylize.check(compose(*small_set, "backbone.name=vgg91"))
    with pytest.raises(ConfigurationError, match=r"transfer: .*many"):
        stylize.check(compose(*small_set, "transfer.steps=many"))
    with pytest.raises(ConfigurationError, match=r"transfer\.start_noise=2\.0: a share"):
        stylize.check(compose(*small_set, "transfer.start_noise=2"))
    with pytest.raises(ConfigurationError, match="is one file, but there are 4 pictures"):
        stylize.check(compose(*small_set, f"out={tmp_path}/one.png"))
    with pytest.raises(ConfigurationError, match="at least 32 px"):
        stylize.check(compose(*small_set, "size=8"))
    (tmp_path / "style" / "bird1.jpg").write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"cannot use .*bird1\.jpg: not an image"):
        stylize.check(compose(*small_set))


def test_other_files_are_not_taken_for_pictures(tmp_path):
    out = Path(tmp_path) / "mine.png"
    Image.new("RGB", (64, 64)).save(out)
    with pytest.raises(DataError, match=r"mine\.png is in the way"):
        stylize.run(compose(f"content={CONTENT}/cat1.jpg", f"style={STYLE}/chair1.jpg", f"out={out}"))
