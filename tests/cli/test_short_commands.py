"""What short commands stand for, and how ``snowwolf.yaml`` and the user's own yaml files join the command line."""

import re

import pytest
from hydra._internal.hydra import Hydra
from omegaconf import OmegaConf

from bench.cli import main as entry
from bench.cli.checks import preflight
from bench.cli.compose import compose, opened_hydra
from bench.cli.defaults_file import read_defaults, with_defaults
from bench.cli.schemas import register_schemas
from bench.cli.shortcuts import is_quickstart, with_inferred_data
from bench.errors import ConfigurationError
from bench.tasks.support.config import chosen_benchmarks
from tests.benchmarks.shift_sets import SAMPLES, WNIDS, copy


@pytest.fixture(autouse=True)
def _schemas():
    register_schemas()


@pytest.fixture
def understood(tmp_path, monkeypatch):
    """What Hydra would be given for a command, started in ``tmp_path``: overrides, and whether it is a sweep."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        given = []
        for mode in ("run", "multirun"):
            monkeypatch.setattr(
                Hydra, mode, lambda _, *call, mode=mode: given.append((call[2][:-1], mode == "multirun"))
            )
        assert entry.main(words) == 0
        return given[0]

    return run


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], True),
        (["store=X"], True),
        (["data.limit=5", "model.precision=bfloat16", "benchmarks.pgd.restarts=2", "~benchmarks.noise"], True),
        (["model=lite0"], False),
        (["model.name=resnet50"], False),
        (["data.root=/x"], False),
        (["suite=nightly"], False),
        (["benchmark=pgd"], False),
        (["benchmark.epsilons=[0.1]"], False),
        (["task=list"], False),
    ],
)
def test_a_command_that_names_nothing_to_run_is_the_quickstart(overrides, expected):
    assert is_quickstart(overrides) is expected


def test_the_quickstart_keeps_the_settings_that_come_with_it(understood):
    overrides, several = understood("store=X", "data.limit=4")
    chosen = ["model=lite0,lite1,lite2", "suite=quickstart", "data=samples"]
    assert overrides == [*chosen, "budget=3000", "store=X", "data.limit=4"]
    assert understood("budget=full") == ([*chosen, "budget=full"], True)
    assert understood("budget.half_width=9") == ([*chosen, "budget.half_width=9"], True)
    assert several


def test_a_sweep_without_m_is_refused_although_the_quickstart_is_one(capsys):
    assert entry.main(["seed=1,2"]) == 2
    assert capsys.readouterr().err == "snowwolf: seed=1,2 is a sweep over several jobs: add -m\n"


@pytest.mark.parametrize(
    ("overrides", "source"),
    [
        (["model=lite0", "data.root=/x"], "auto"),
        (["data=cifar10", "data.root=/x"], "cifar10"),
        (["suite=mine", "data.root=/x"], "cifar10"),  # whose yaml file chooses the images
        (["data.root=/x", "benchmark=pgd"], "auto"),
        (["data.limit=3"], "samples"),
    ],
)
def test_a_root_without_a_choice_of_data_is_recognised(tmp_path, overrides, source):
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "mine.yaml").write_text("# @package _global_\ndefaults:\n  - override /data: cifar10\n")
    completed = with_inferred_data(overrides, str(tmp_path))
    with opened_hydra(str(tmp_path)):
        data = compose(completed).data
    assert data.source == source
    if source == "auto":
        assert data.regions is None, "none of the samples' settings is left"


def test_the_everyday_command_runs_on_the_folder(understood, tmp_path):
    for name in ("n01440764", "n01443537"):
        (tmp_path / "val" / name).mkdir(parents=True)
        (tmp_path / "val" / name / "a.jpg").touch()
    words = ["model.name=test_resnet", "model.weights=random", "benchmark=clean", "data.root=val"]
    assert understood(*words) == (["data=auto", *words], False)


DEFAULTS = """
data: folder
data.root: "/imagenet/val, 2012"
runtime: {batch_size: 8, threads: null}
exports: [json, latex]
benchmarks.pgd.options: {steps: 3}
store: ~/runs
"""


def test_the_file_of_defaults_becomes_overrides(tmp_path):
    assert read_defaults(tmp_path) == []
    (tmp_path / "snowwolf.yaml").write_text(DEFAULTS)
    overrides = read_defaults(tmp_path)
    with opened_hydra():
        config = compose(overrides)
    assert (config.data.source, config.data.root) == ("folder", "/imagenet/val, 2012")
    assert (config.runtime.batch_size, config.runtime.threads) == (8, None)
    assert (list(config.exports), config.store) == (["json", "latex"], "~/runs")
    assert config.benchmarks.pgd.options.steps == 3
    assert (
        config.benchmarks.pgd.options.rel_stepsize
        == OmegaConf.load(entry.CONF / "benchmark/pgd.yaml").options["rel_stepsize"]
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["seed=1"], ["data=folder", "data.root=/x", "suite=imagenet", "seed=1"]),
        (["data.root=/y"], ["data=folder", "suite=imagenet", "data.root=/y"]),
        (["data=samples"], ["suite=imagenet", "data=samples"]),
        (["benchmark=pgd"], ["data=folder", "data.root=/x", "benchmark=pgd"]),
    ],
)
def test_the_command_line_overrules_the_file(given, expected):
    assert with_defaults(["data=folder", "data.root=/x", "suite=imagenet"], given) == expected


def test_a_command_takes_the_defaults_of_its_folder(understood, tmp_path):
    (tmp_path / "snowwolf.yaml").write_text("store: mine\nmodel: lite1\nseed: 3\n")
    assert understood("task=list", "seed=4") == (["store=mine", "model=lite1", "task=list", "seed=4"], False)


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        ("modle: lite0", ["task=list"], "FILE: unknown key 'modle': did you mean 'model'"),
        ("model: lite7", ["task=list"], "FILE: unknown model 'lite7': did you mean 'lite"),
        ("seed: x", ["task=list"], "FILE: seed=x: give a whole number"),
        ("model: lite0,lite1", ["task=list"], "FILE: unknown model 'lite0,lite1'"),
        ("- model", ["task=list"], "FILE: write KEY: VALUE lines"),
        ("model: [", ["task=list"], "FILE: it cannot be read as YAML"),
        ("a b: 1", ["task=list"], "FILE: "),
        ("suite: shape_texture", ["task=list", "~benchmarks.pgd"], "with the defaults of FILE: "),
        ("seed: 1", ["task=lits"], "unknown task 'lits'"),
    ],
)
def test_a_mistake_in_the_file_names_the_file(tmp_path, monkeypatch, capsys, text, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "snowwolf.yaml").write_text(text)
    assert entry.main(words) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("snowwolf: " + message.replace("FILE", str(tmp_path / "snowwolf.yaml")))


@pytest.fixture
def own(tmp_path):
    """A folder of yaml files of one's own."""
    for name, text in {
        "model/mine.yaml": "defaults: [schema]\nname: test_resnet\nweights: random\nalias: mine\n",
        "suite/mine.yaml": "# @package _global_\ndefaults:\n  - /benchmark@benchmarks.clean: clean\n",
    }.items():
        (tmp_path / "own" / name).parent.mkdir(parents=True)
        (tmp_path / "own" / name).write_text(text)
    return tmp_path / "own"


WORDS = ["-m", "model=mine", "suite=mine", "data.limit=2,3"]


def test_yaml_files_of_ones_own_are_checked_and_run(understood, own):
    overrides, several = understood("--config-dir", str(own), *WORDS)
    assert (overrides, several) == (WORDS[1:], True)


def test_hydra_s_search_path_is_checked_and_run(understood, own):
    overrides, _ = understood(*WORDS, f"hydra.searchpath=[file://{own}]")
    assert overrides == [*WORDS[1:], f"hydra.searchpath=[file://{own}]"]


def test_a_mistake_in_a_yaml_file_of_ones_own_is_refused(own):
    with pytest.raises(ConfigurationError, match="unknown model 'mien': did you mean 'mine'"):
        preflight(["model=mien"], config_dir=str(own))


@pytest.fixture
def photographs_in_folders(tmp_path):
    for path in SAMPLES[:4]:
        copy(path, tmp_path / "val" / WNIDS[int(path.stem.split("_")[2])])
    return tmp_path / "val"


def test_what_a_folder_was_taken_for_is_said_before_the_run(understood, photographs_in_folders, capsys):
    understood("benchmark=clean", f"data.root={photographs_in_folders}")
    said = capsys.readouterr().err
    assert f"{photographs_in_folders}: 4 class folders (" in said
    assert "); data.source=folder" in said


def test_which_sets_were_found_is_said_before_the_run(understood, photographs_in_folders, tmp_path, capsys):
    photographs_in_folders.rename(tmp_path / "ImageNet-Sketch")
    understood("suite=natural_shift", f"shifts.root={tmp_path}")
    said = capsys.readouterr().err
    assert f"image sets found: imagenet_sketch ({tmp_path}/ImageNet-Sketch); not found: imagenet_v2, " in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("suite=natural_shift",), r"lie in folders of their own: give shifts\.root=FOLDER"),
        (("suite=natural_shift", "shifts.root=/nowhere"), r"no folder at shifts\.root=/nowhere"),
        (("benchmark=imagenet_a",), r"set with benchmark\.data: data\.root is needed here"),
        (("benchmark=imagenet_3dcc",), r"imagenet_3dcc needs root=FOLDER"),
    ],
)
def test_a_set_that_is_not_given_is_refused(words, message, capsys):
    assert entry.main(words) == 2
    assert re.search(message, capsys.readouterr().err)


def test_a_set_given_by_hand_needs_no_folder_of_sets(photographs_in_folders):
    root = f"benchmark.data.root={photographs_in_folders}"
    with opened_hydra():
        config = compose(["benchmark=imagenet_sketch", root])
        (settings,) = chosen_benchmarks(config).values()
    assert settings.data.root == str(photographs_in_folders)
