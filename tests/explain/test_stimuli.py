"""Names and pairs of the published layout, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from bench.data.categories import read_cues
from bench.errors import ConfigurationError, DataError
from bench.explain.stimuli import find_sources, load_sources, make_pairs, whole_crop


@pytest.fixture
def draw(tmp_path):
    """Write a picture of one colour below the test's folder."""

    def make(name: str, colour=(90, 20, 200), size=(40, 40)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, colour).save(path)
        return path

    return make


def test_every_content_meets_every_style_under_the_published_names(draw, tmp_path):
    for name in ("content/cat7.png", "content/dog1.jpg", "style/elephant2.png", "style/cat1.png"):
        draw(name)
    contents, styles = (
        find_sources(str(tmp_path / "content"), "content"),
        find_sources(str(tmp_path / "style"), "style"),
    )
    paths = [pair.path for pair in make_pairs(contents, styles, same_category=True)]
    assert paths == ["cat/cat7-cat1.png", "cat/cat7-elephant2.png", "dog/dog1-cat1.png", "dog/dog1-elephant2.png"]
    assert read_cues(paths[1]) == ("cat", "elephant")
    conflicts = [pair.path for pair in make_pairs(contents, styles, same_category=False)]
    assert conflicts == paths[1:]


def test_category_folders_are_numbered_by_name_unless_they_are_already(draw, tmp_path):
    for name in ("cat/tom.png", "cat/felix.jpg", "dog/dog3.png", "dog/dog5.png", ".hidden/x.png", "cat/.x.png"):
        draw(f"content/{name}")
    sources = find_sources(str(tmp_path / "content"), "content")
    assert {source.name: source.path.name for source in sources} == {
        "cat1": "felix.jpg",
        "cat2": "tom.png",
        "dog3": "dog3.png",
        "dog5": "dog5.png",
    }


def test_two_files_are_one_pair(draw):
    content, style = draw("my cat.png"), draw("skin.jpg")
    (pair,) = make_pairs(find_sources(str(content), "content"), find_sources(str(style), "style"), same_category=False)
    assert pair.path == "my cat-skin.png"


def test_pixels_are_the_centre_crop_in_zero_to_one(draw):
    path = draw("wide.png", (255, 0, 51), size=(120, 60))
    loaded = load_sources(find_sources(str(path), "content"), whole_crop(32))[path]
    assert loaded.pixels.shape == (3, 32, 32)
    assert np.allclose(loaded.pixels.mean(dim=(1, 2)), [1.0, 0.0, 0.2])


def test_mistakes_are_refused(draw, tmp_path):
    draw("content/cat1.png")
    with pytest.raises(ConfigurationError, match=r"style: nothing at .*contnet; did you mean 'content'"):
        find_sources(str(tmp_path / "contnet"), "style")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match=r"style: .*empty holds no images"):
        find_sources(str(tmp_path / "empty"), "style")
    single, folder = draw("x.png"), find_sources(str(tmp_path / "content"), "content")
    with pytest.raises(ConfigurationError, match="two files, or two folders"):
        make_pairs(folder, find_sources(str(single), "style"), same_category=True)
    with pytest.raises(ConfigurationError, match="same_category=false"):
        make_pairs(folder, folder, same_category=False)
    draw("content/whiskers.png")
    with pytest.raises(DataError, match=r"whiskers\.png does not say its category: call it <category>N\.png"):
        find_sources(str(tmp_path / "content"), "content")
    draw("twice/cat1.png")
    draw("twice/cat1.jpg")
    with pytest.raises(DataError, match="two images called cat1"):
        find_sources(str(tmp_path / "twice"), "content")
    draw("odd/Cat_7/x.png")
    with pytest.raises(DataError, match="small letters"):
        find_sources(str(tmp_path / "odd"), "content")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n then nothing")
    with pytest.raises(DataError, match=r"cannot use .*broken\.png: "):
        load_sources(find_sources(str(broken), "content"), whole_crop(32))
