"""``task=list``: what one can name, and what the store holds and lacks, counted by hand."""

import re
from dataclasses import replace

import hydra
import numpy as np
import pytest

from bench.cli.schemas import register_schemas
from bench.conf_files import CONF
from bench.data import DataConfig, dataset_name
from bench.errors import ConfigurationError
from bench.records import Condition, Outcomes
from bench.results import Store
from bench.tasks import list as listing


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "1000")

    def run(*overrides):
        register_schemas()
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            config = hydra.compose("config", overrides=["task=list", f"store={tmp_path}/store", *overrides])
        listing.run(config)
        return capsys.readouterr().out

    return run


@pytest.fixture
def write(tmp_path, make_spec, provenance):
    store = Store(str(tmp_path / "store"))

    def part(entry, benchmark, condition, n=10, **changes):
        spec = make_spec(benchmark=benchmark, condition=condition, **{"classifier": "net", **changes})
        spec = replace(spec, entry=entry)
        ids, numbers = np.array([f"image_{i}" for i in range(n)]), np.arange(n)
        if n:
            store.write_part(spec, Outcomes(ids, numbers, numbers, np.ones(n, np.float32)), 0, provenance)
        else:
            store.write_failure(spec, ["image_0"], 0, provenance, error="OSError", traceback="")

    return part


def rows(text):
    """The cells of the table's rows, without its head."""
    split = [[cell.strip() for cell in re.split("[│┃]", line)[1:-1]] for line in text.splitlines()]
    return [cells for cells in split if cells and cells[0] != "classifier"]


def test_what_one_can_name(said):
    text = said()
    for group in ("model", "defense", "data", "benchmark", "suite", "task"):
        [line] = [line for line in text.splitlines() if line.startswith(f"{group} ")]
        assert line.split(None, 1)[1].split(", ") == sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    assert text.rstrip().endswith("/store: empty")


def test_complete_cells_are_counted_by_the_suite_s_entry_and_its_conditions(said, write):
    write("clean", "clean", Condition("clean"))
    write("fgsm", "attack", Condition("fgsm", 0.01))
    write("fgsm", "attack", Condition("fgsm", 0.03))  # the suite asks for another
    write("fgsm", "attack", Condition("fgsm", 0.02), n=4)  # half-way
    write("pgd", "attack", Condition("pgd_linf", 0.5), n=0)
    write("clean", "clean", Condition("clean"), defense="jpeg(quality=75)")
    text = said("expected=suite", "benchmark=fgsm", "benchmark.epsilons=[0.01,0.02,0.04]")
    assert rows(text) == [
        ["net", "00ff", "toy (10)", "clean 1, fgsm 1/3, pgd 0", "1"],
        ["net behind jpeg(quality=75)", "00ff", "toy (10)", "clean 1", ""],
    ]


def test_a_classifier_lacks_what_another_one_has_on_the_same_images(said, write):
    for epsilon in (0.01, 0.02, 0.04):
        write("fgsm", "attack", Condition("fgsm", epsilon))
    write("clean", "clean", Condition("clean"))
    write("fgsm", "attack", Condition("fgsm", 0.01), classifier="other")
    write("fgsm", "attack", Condition("fgsm", 0.02), classifier="other", n=4)  # half-way
    write("fgsm", "attack", Condition("fgsm", 0.04), classifier="other", n=0)  # failed
    write("pgd", "attack", Condition("pgd_linf", 0.5), classifier="third", dataset="elsewhere")
    assert rows(said()) == [
        ["net", "00ff", "toy (10)", "clean 1/1, fgsm 3/3", ""],
        ["other", "00ff", "toy (10)", "clean 0/1, fgsm 1/3", "1"],
        ["third", "00ff", "elsewhere (10)", "pgd 1/1", ""],
    ]


def test_another_choice_of_what_is_expected_is_refused(said):
    with pytest.raises(ConfigurationError, match="expected is store or suite, not 'all'"):
        said("expected=all")


def test_names_are_text_and_not_markup(said, write):
    write("clean", "clean", Condition("clean"), classifier="[red]net[/red]", dataset="[b]toy")
    [[classifier, _, dataset, _, _]] = rows(said("benchmark=clean"))
    assert (classifier, dataset) == ("[red]net[/red]", "[b]toy (10)")


def test_a_row_lists_what_was_asked_of_its_images_alone(tmp_path, said, make_spec, make_outcomes, provenance):
    store = Store(str(tmp_path / "store"))
    cells = [
        make_spec(dataset="samples"),
        make_spec(dataset="samples", benchmark="attack", entry="pgd", condition=Condition("pgd_linf", 4 / 255)),
        make_spec(dataset="edges", benchmark="sixteen_way", entry="edges", condition=Condition("sixteen_way")),
        make_spec(dataset="cue_conflict", classifier="subject-01", benchmark="cue_conflict"),
    ]
    for spec in cells:
        store.write_part(spec, make_outcomes(0, 10), 0, provenance)
    listed = rows(said("expected=suite", "~benchmarks.corruption", "~benchmarks.cam_audit"))
    assert {(row[0], row[2]): row[3] for row in listed} == {
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
        (["data.source=huggingface", "data.dataset=owner/birds"], "birds"),
        (["data.source=wds", "data.root=/shards"], "shards"),
        (["data.source=tar", "data.root=/images/val.tar", "data.name=mine"], "mine"),
    ],
)
def test_a_dataset_is_called_after_its_own_images(overrides, name):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        data = hydra.compose("config", overrides=overrides).data
    assert dataset_name(DataConfig(**data)) == name
