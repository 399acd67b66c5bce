"""``task=store`` from the command line's side."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench.cli.checks import preflight
from bench.cli.compose import compose
from bench.cli.schemas import register_schemas
from bench.cli.tasks import run_task
from bench.errors import ConfigurationError
from bench.results import Store


@pytest.fixture(autouse=True)
def schemas():
    register_schemas()


@pytest.fixture
def store(tmp_path, make_spec, make_outcomes, provenance):
    store, spec = Store(str(tmp_path / "store")), make_spec(n_images=10)
    for start in (0, 5):
        store.write_part(spec, make_outcomes(start, start + 5), start, provenance)
    store.write_failure(make_spec(seed=1), ["image_0"], 0, provenance, error="ValueError: no", traceback="")
    return store


def act(store, *overrides):
    import hydra

    from bench.conf_files import CONF

    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose(["task=store", f"store={store.root}", *overrides])
    run_task(config)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["action=verfiy"], "did you mean 'verify'"),
        (["action=merge"], "needs source=STORE"),
        (["action=export", "out=rows.txt"], r"ending in \.parquet or \.csv"),
        (["action=prune"], "needs prune="),
        (["action=prune", "prune=[cell]"], "did you mean 'cells'"),
        (["action=prune", "prune=[cells]"], "which cells"),
    ],
)
def test_what_cannot_be_done_is_refused(overrides, message):
    with pytest.raises(ConfigurationError, match=message):
        preflight(["task=store", *overrides])


def test_an_incomplete_store_does_not_verify(store, capsys):
    with pytest.raises(SystemExit) as ended:
        act(store, "action=verify")
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert "incomplete: linear / toy / clean clean@0" in said
    assert "3 files" in said
    assert "0 damaged, 1 cells incomplete, 0 half-written leftovers" in said


def test_quarantine_keeps_the_bytes(store, tmp_path, capsys):
    part = sorted((tmp_path / "store").rglob("*05-000000010.parquet"))[0]
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(SystemExit):
        act(store, "action=quarantine")
    assert "set aside" in capsys.readouterr().out
    assert not part.exists()
    assert part.with_name(f"{part.name}.damaged").exists()


def test_list_and_export(store, tmp_path, capsys):
    act(store, "action=list")
    assert "10/10 images, 2 parts" in capsys.readouterr().out
    for suffix, read in ((".parquet", pd.read_parquet), (".csv", pd.read_csv)):
        out = tmp_path / f"rows{suffix}"
        act(store, "action=export", f"out={out}")
        assert len(read(out)) == 10


def test_an_export_has_every_benchmarks_own_columns(tmp_path, make_spec, make_outcomes, provenance):
    store, options = Store(str(tmp_path / "store")), {"steps": 20, "rel_stepsize": 0.1}
    store.write_part(make_spec(seed=2**63 - 1), make_outcomes(0, 10), 0, provenance)
    extra = {"distance": np.linspace(0, 0.1, 10), "stage": np.array(["clean", "attack"] * 5)}
    attack = make_spec(benchmark="attack", entry="my_pgd", parameters={"attack": "pgd_linf", "options": options})
    store.write_part(attack, replace(make_outcomes(0, 10), extra=extra), 0, provenance)
    for suffix, read in ((".parquet", pd.read_parquet), (".csv", pd.read_csv)):
        out = tmp_path / f"rows{suffix}"
        act(store, "action=export", f"out={out}")
        rows = read(out)
        own = rows[rows["entry"] == "my_pgd"]
        assert (len(rows), len(own), set(own["benchmark"])) == (20, 10, {"attack"})
        assert own["distance"].tolist() == pytest.approx(extra["distance"].tolist())
        assert own["stage"].tolist() == extra["stage"].tolist()
        assert [json.loads(text) for text in set(own["parameters"])] == [{"attack": "pgd_linf", "options": options}]
        others = rows[rows["entry"] == "clean"]
        assert others["distance"].isna().all()
        assert set(others["seed"]) == {2**63 - 1}


def test_a_merge_fills_a_new_store(store, tmp_path, capsys):
    target = Store(str(tmp_path / "new"))
    act(target, "action=merge", f"source={store.root}")
    assert "3 parts copied, 0 were there already" in capsys.readouterr().out
    assert [cell.spec for cell in target.cells()] == [cell.spec for cell in store.cells()]


def test_nothing_is_pruned_unasked(store, tmp_path, capsys):
    held = sorted((tmp_path / "store").rglob("*.parquet"))
    act(store, "action=prune", "prune=[failures]")
    assert "1 files would go; confirm=true removes them" in capsys.readouterr().out
    assert sorted((tmp_path / "store").rglob("*.parquet")) == held
    act(store, "action=prune", "prune=[failures]", "confirm=true")
    assert len(sorted((tmp_path / "store").rglob("*.parquet"))) == 2
    act(store, "action=compact")
    act(store, "action=verify")
    act(store, "action=prune", "prune=[cells]", "only.benchmark=other", "confirm=true")
    assert len(store.cells()) == 1
    act(store, "action=prune", "prune=[cells]", "only.classifier=linear", "confirm=true")
    assert store.cells() == []
