"""``task=contact_sheet`` draws each corruption and severity in its place, as the benchmark shows it."""

import colorsys
import io

import hydra
import numpy as np
import pytest
import torch
from PIL import Image

from bench.benchmarks.corruption import Corruption
from bench.cli.schemas import register_schemas
from bench.conf_files import CONF
from bench.corruptions import CORRUPTIONS, EXTRA_CORRUPTIONS
from bench.errors import ConfigurationError
from bench.reports.galleries import corruptions
from bench.reports.galleries.corruptions import GAP, LABEL, TOP, draw_sheet
from bench.tasks import contact_sheet

NAMES = [*CORRUPTIONS, *EXTRA_CORRUPTIONS]


def compose(*overrides):
    register_schemas()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("config", overrides=["task=contact_sheet", *overrides])


def tile(sheet, row, column, side):
    """The picture in a row and column, ``(side,side,3)``."""
    top, left = TOP + row * (side + GAP), LABEL + column * (side + GAP)
    return sheet[top : top + side, left : left + side]


def test_each_picture_is_in_the_row_of_its_corruption_and_the_column_of_its_severity(monkeypatch):
    def shown(self, batch, condition, *, seed):
        assert batch.image_ids.tolist() == ["cat"]
        assert batch.condition == condition
        assert seed == 7
        colour = torch.tensor([10 * NAMES.index(condition.name), 50 * int(condition.strength), 99])
        return colour.view(1, 3, 1, 1).expand(1, 3, 12, 12)

    monkeypatch.setattr(Corruption, "shown", shown)
    clean = torch.randint(0, 256, (1, 3, 12, 12), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    sheet = np.asarray(draw_sheet(clean, "cat", seed=7))
    assert sheet.shape == (TOP + 19 * (12 + GAP), LABEL + 6 * (12 + GAP), 3)
    for row in range(19):
        assert np.array_equal(tile(sheet, row, 0, 12), clean[0].permute(1, 2, 0))
        for severity in range(1, 6):
            assert (tile(sheet, row, severity, 12) == [10 * row, 50 * severity, 99]).all()
        name = sheet[TOP + row * (12 + GAP) : TOP + (row + 1) * (12 + GAP), : LABEL - GAP]
        assert (name < 128).any(), "its name is written beside it"


def test_the_file_shows_the_published_images(tmp_path, monkeypatch):
    """Brightness by hand: V of HSV raised by 0.1 to 0.5, saved as JPEG of quality 85 (make_imagenet_c.py)."""
    monkeypatch.setattr(corruptions, "CORRUPTIONS", ("brightness",))
    monkeypatch.setattr(corruptions, "EXTRA_CORRUPTIONS", ())
    config = compose("name=mine", f"reports={tmp_path}", f"runtime.cache_dir={tmp_path}/cache", "position=3")
    contact_sheet.check(config)
    contact_sheet.run(config)
    sheet = np.asarray(Image.open(tmp_path / "mine" / "corruptions.png"))
    clean = tile(sheet, 0, 0, 224)
    hsv_to_rgb = np.vectorize(colorsys.hsv_to_rgb)
    hue, saturation, value = np.vectorize(colorsys.rgb_to_hsv)(*np.moveaxis(clean / 255, 2, 0))
    for severity, raised in enumerate([0.1, 0.2, 0.3, 0.4, 0.5], start=1):
        bright = np.stack(hsv_to_rgb(hue, saturation, (value + raised).clip(0, 1)), axis=2)
        file = io.BytesIO()
        Image.fromarray((bright.clip(0, 1) * 255).astype(np.uint8)).save(file, "JPEG", quality=85, optimize=True)
        difference = np.abs(np.asarray(Image.open(file)).astype(int) - tile(sheet, 0, severity, 224))
        assert difference.mean() < 0.1


@pytest.mark.parametrize("position", [-1, 20])
def test_a_position_beyond_the_images_is_refused(position):
    with pytest.raises(ConfigurationError, match=f"position={position} is not one of the 20 images, 0 to 19"):
        contact_sheet.check(compose(f"position={position}"))
