"""``task=list``: each row counts what it holds, of what the suite asks of its images and of nothing else."""

import hydra
import pytest

from bench.data import DataConfig, dataset_name
from bench.records import Condition
from bench.results import Store
from bench.tasks import list as list_task
from bench.tasks.cli import CONF
from bench.tasks.config import register_schemas

register_schemas()


@pytest.fixture
def listed(capsys, monkeypatch):
    """The rows that ``task=list`` prints of a store, by classifier and dataset."""
    monkeypatch.setenv("COLUMNS", "400")

    def run(store, *overrides):
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            list_task.run(hydra.compose("config", overrides=["task=list", f"store={store.root}", *overrides]))
        lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in capsys.readouterr().out.splitlines()]
        return {(row[0], row[2]): row[3] for row in lines if len(row) == 5}

    return run


def test_a_row_lists_what_was_asked_of_its_images_alone(tmp_path, listed, make_spec, make_outcomes, provenance):
    store = Store(str(tmp_path / "store"))
    cells = [
        make_spec(dataset="samples"),
        make_spec(dataset="samples", benchmark="attack", entry="pgd", condition=Condition("pgd_linf", 4 / 255)),
        make_spec(dataset="edges", benchmark="sixteen_way", entry="edges", condition=Condition("sixteen_way")),
        make_spec(dataset="cue_conflict", classifier="subject-01", benchmark="cue_conflict"),
    ]
    for spec in cells:
        store.write_part(spec, make_outcomes(0, 10), 0, provenance)
    rows = listed(store, "~benchmarks.corruption", "~benchmarks.cam_audit")
    assert rows == {
        ("linear", "samples (10)"): "clean 1/1, fgsm 0/5, noise 0/4, one_pixel 0/1, pgd 1/4",
        ("linear", "edges (10)"): "edges 1",
        ("subject-01", "cue_conflict (10)"): "cue_conflict 1",
    }


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "samples"),
        (["data=cue_conflict_samples"], "cue_conflict_samples"),
        (["data.source=tar", "data.root=/images/val.tar"], "val.tar"),
        (["data.source=hfds", "data.dataset=owner/birds"], "birds"),
        (["data.source=wds", "data.root=/shards"], "shards"),
        (["data.source=tar", "data.root=/images/val.tar", "data.name=mine"], "mine"),
    ],
)
def test_a_dataset_is_called_after_its_own_images(overrides, name):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        data = hydra.compose("config", overrides=overrides).data
    assert dataset_name(DataConfig(**data)) == name
