"""``task=audit_clusters`` leaves sheets of overlays where the report looks for them."""

import hydra
import pytest
from PIL import Image

from bench.cli.schemas import register_schemas
from bench.conf_files import CONF
from bench.errors import ConfigurationError, DataError
from bench.reports.galleries.audit import GAP, LINES, SIDE
from bench.reports.galleries.clusters import TITLE
from bench.tasks import audit_clusters


def compose(*overrides):
    register_schemas()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("config", overrides=["task=audit_clusters", *overrides])


@pytest.mark.parametrize("by", ["map", "features"])
def test_a_sheet_of_the_sample_images(by, tmp_path):
    config = compose(
        f"reports={tmp_path}",
        f"runtime.cache_dir={tmp_path}/cache",
        "model.weights=random",
        "images=2",
        "data.limit=6",
        "clusters=2",
        f"by={by}",
    )
    audit_clusters.check(config)
    audit_clusters.run(config)
    [path] = (tmp_path / "default" / "galleries").glob("clusters-*.png")
    assert Image.open(path).size == (GAP + 2 * (SIDE + GAP), 2 * (TITLE + SIDE + LINES))


def test_too_few_wrong_predictions_are_told(tmp_path):
    config = compose(f"reports={tmp_path}", f"runtime.cache_dir={tmp_path}/cache", "data.limit=3")
    with pytest.raises(DataError, match=r"wrong predictions .* 4 are needed; try of=all"):
        audit_clusters.run(config)


@pytest.mark.parametrize("override", ["of=right", "by=colour", "clusters=0", "method=grad_kam"])
def test_what_does_not_exist_is_refused(override):
    with pytest.raises(ConfigurationError):
        audit_clusters.check(compose(override))
