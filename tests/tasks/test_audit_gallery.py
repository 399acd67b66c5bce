"""``task=audit_gallery`` leaves a strip of overlays where the report looks for it."""

import hydra
import numpy as np
import pytest
import torch
from PIL import Image

from bench.cli.schemas import register_schemas
from bench.conf_files import CONF
from bench.data.dataset import evenly_spaced
from bench.errors import ConfigurationError
from bench.reports.galleries.audit import GAP, LINES, SIDE
from bench.reports.galleries.overlay import HEAT, overlay
from bench.tasks import audit_gallery


def compose(*overrides):
    register_schemas()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("config", overrides=["task=audit_gallery", *overrides])


def test_a_strip_of_the_sample_images(tmp_path):
    config = compose(
        f"reports={tmp_path}", f"runtime.cache_dir={tmp_path}/cache", "model.weights=random", "images=3", "data.limit=5"
    )
    audit_gallery.check(config)
    audit_gallery.run(config)
    [path] = (tmp_path / "default" / "galleries").glob("audit-*.png")
    assert Image.open(path).size == (GAP + 3 * (SIDE + GAP), SIDE + LINES)


@pytest.mark.parametrize("override", ["images=0", "method=grad_kam", "data.regions=nowhere", "model.name=lite9"])
def test_what_does_not_exist_is_refused(override):
    with pytest.raises(ConfigurationError):
        audit_gallery.check(compose(override))


def test_an_overlay_is_half_image_and_half_heat_with_the_regions_edge_in_white():
    image = torch.full((3, 20, 20), 100, dtype=torch.uint8)
    heat = torch.zeros(20, 20)
    heat[10, 10], heat[3, 3] = 4.0, -4.0
    region = np.zeros((20, 20), dtype=bool)
    region[5:16, 5:16] = True
    drawn = np.asarray(overlay(image, heat, region))
    assert drawn[10, 10].tolist() == (0.5 * 100 + 0.5 * HEAT[-1]).round().astype(int).tolist()
    assert drawn[3, 3].tolist() == drawn[0, 0].tolist() == (0.5 * 100 + 0.5 * HEAT[0]).round().astype(int).tolist()
    white = (drawn == 255).all(axis=2)
    assert white.sum() == 40
    assert white[5, 5:16].all()


def test_images_are_spread_over_the_dataset():
    assert evenly_spaced(20, 3) == [0, 10, 19]
    assert evenly_spaced(2, 6) == [0, 1]
    assert evenly_spaced(7, 1) == [0]
