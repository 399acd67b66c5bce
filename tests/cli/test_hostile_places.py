"""Inputs that hung, polluted or ended in a traceback: each is refused in one line that says what to do."""

import os
import tarfile

import numpy as np
import pytest
from hydra.core.global_hydra import GlobalHydra
from PIL import Image

from bench.cli.main import main
from bench.data import DataConfig, load_dataset
from bench.errors import ConfigurationError, DataError
from bench.models import ModelConfig, check_model


@pytest.fixture
def images(tmp_path):
    """One class folder with one image."""
    folder = tmp_path / "images" / "n01440764"
    folder.mkdir(parents=True)
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(folder / "a.png")
    return folder.parent


def listed(root):
    return load_dataset(DataConfig(name="set", source="folder", root=str(root)), check_model(ModelConfig()).label_space)


def test_a_pipe_among_the_images(images):
    os.mkfifo(images / "n01440764" / "b.png")
    with pytest.raises(DataError, match=r"b\.png is no file but a pipe"):
        listed(images)


def test_a_dangling_link_among_the_images(images):
    (images / "n01440764" / "b.png").symlink_to("/nowhere/b.png")
    with pytest.raises(DataError, match=r"b\.png leads nowhere"):
        listed(images)


def test_a_file_name_that_is_not_utf8(images):
    try:
        (images / "n01440764" / "a.png").rename(images / "n01440764" / os.fsdecode(b"\xff\xfe.png"))
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    with pytest.raises(DataError, match="is not UTF-8: rename"):
        listed(images)


@pytest.mark.parametrize(("claims", "words"), [(None, "is an empty tar file"), (2**40, "cut off or damaged")])
def test_tar_files(tmp_path, claims, words):
    path = tmp_path / "set.tar"
    if claims is None:
        tarfile.open(path, "w").close()
    else:
        member = tarfile.TarInfo("n01440764/a.png")
        member.size = claims
        path.write_bytes(member.tobuf(format=tarfile.GNU_FORMAT) + b"\0" * 500)
    with pytest.raises(ConfigurationError, match=words):
        load_dataset(DataConfig(name="set", source="tar", root=str(path)), check_model(ModelConfig()).label_space)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["runtime.workers=100000"], "runtime.workers=100000 on"),
        (["engine=processes", "engine.workers=100000"], "engine.workers=100000 on"),
        (["data.limit=3", "data.limit_seed=-5"], "data.limit_seed is at least 0"),
        (["runtime.cache_dir=FILE/x"], "cannot be made"),
        (["hydra.run.dir=FILE/x"], "cannot be made"),
        (["store="], "store is empty"),
        (["data=folder", "data.root=IMAGES", "store=IMAGES/store"], "lies among the images"),
        (["reports=FILE/x"], "the report cannot be written"),
        (["task=gate", "tolerance=nan", "baseline=FILE"], "tolerance is at least 0"),
    ],
)
def test_settings(settings, words, images, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    GlobalHydra.instance().clear()
    own = [text.replace("FILE", str(tmp_path / "file")).replace("IMAGES", str(images)) for text in settings]
    chosen = own if settings[0].startswith("task") else ["model=lite0", "benchmark=clean", "data=samples", *own]
    if "data=folder" in own:
        chosen.remove("data=samples")
    before = set(tmp_path.rglob("*"))
    assert main(chosen) == 2
    assert words in capsys.readouterr().err.splitlines()[-1]
    assert {path for path in tmp_path.rglob("*") if "outputs" not in path.parts} == before
