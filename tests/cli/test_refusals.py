"""What is misspelt or missing is refused in one line, before any work, with exit code 2."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli.checks import preflight
from bench.cli.compose import expand_jobs
from bench.cli.schemas import register_schemas
from bench.conf_files import CONF
from bench.errors import ConfigurationError

ROOT = CONF.parent


@pytest.fixture(autouse=True)
def _schemas():
    register_schemas()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model=lite7"], r"unknown model 'lite7': did you mean 'lite\d'"),
        (["model=lite0,lite7"], "unknown model 'lite7'"),
        (["model.name=resnet5"], "unknown model 'resnet5': did you mean 'resnet5\\d"),
        (["data=folder"], r"data.root is needed here: add data.root=FOLDER"),
        (["data=folder", "data.root=/no/such/place"], "/no/such/place"),
        (["data=smples"], "unknown data 'smples': did you mean 'samples'"),
        (["suite=quickstrat"], "unknown suite 'quickstrat': did you mean 'quickstart'"),
        (["benchmark=corruptoin"], "unknown benchmark 'corruptoin': did you mean 'corruption'"),
        (["defense=jpg"], "unknown defense 'jpg': did you mean 'jpeg'"),
        (["defense=jpeg", "defense.gradient=adaptiv"], "unknown gradient 'adaptiv': did you mean 'adaptive'"),
        (["defense=jpeg", "defense.quality=0"], "defense jpeg: quality is 1 to 100, not 0"),
        (["defense=jpeg", "defense.qualty=5"], "unknown key 'defense.qualty': did you mean 'defense.quality'"),
        (["engine=procesess"], "unknown engine 'procesess': did you mean 'processes'"),
        (["engine=processes", "engine.worker=2"], "unknown key 'engine.worker': did you mean 'engine.workers'"),
        (["engine.workers=2"], "engine=local is one process"),
        (["task=reprot"], "unknown task 'reprot': did you mean 'report'"),
        (["data.limt=3"], "unknown key 'data.limt': did you mean 'data.limit'"),
        (["modle=lite0"], "unknown key 'modle': did you mean 'model'"),
        (["benchmarks.pgd.restart=3"], "unknown key 'benchmarks.pgd.restart': did you mean 'benchmarks.pgd.restarts'"),
        (["runtime.batch_size=many"], "runtime.batch_size: Value 'many' of type 'str' could not be converted"),
        (["data.limit=many"], "data.limit: Value 'many' of type 'str' could not be converted"),
        (["runtime.batch_size=0"], "runtime.batch_size is at least 1, not 0"),
        (["runtime.workers=-1"], "runtime.workers is at least 0, not -1"),
        (["+data.rot=/x"], "unknown key 'data.rot': did you mean 'data.root'"),
        (["seed=x"], "seed=x: give a whole number"),
        (["seed=9223372036854775808"], "seed=9223372036854775808: give a whole number from 0 and below 2"),
        (["seed=-1"], "seed=-1: give a whole number from 0"),
        (["budget=many"], "budget=many: give full, a number of forward passes per classifier such as 50000"),
        (["budget=0"], "budget.forwards=0: give a number of forward passes, from 1"),
        (["budget.half_width=many"], "budget: Value 'many' of type 'str' could not be converted"),
        (["budget.half_width=0"], "budget.half_width=0.0: give points above 0 and below 100"),
        (["budget.until=never"], "budget.until=never: give ranked, or leave it out"),
        (["budget.until=ranked"], r"compares the classifiers of one job: give at least two, models=\[ONE,TWO\]"),
        (["budget.until=ranked", "budget.half_width=1"], "leave out the forward passes and the half-widths"),
        (["models=lite0"], r"models=lite0: give a list, \[ONE,ANOTHER\]"),
        (["models=[3]"], r"models\[0\]=3: give a name, or a mapping of model's keys"),
        (["models=[{nam: lite0}]"], r"models\[0\]: Key 'nam' not in 'ModelConfig'"),
        (["models=[lite0,lite7]"], "unknown model 'lite7'"),
        (["models=[lite0,lite0]"], "models has lite0 twice: give one of them an alias"),
        (["models=[lite0,lite1]", "model=lite2"], "model=lite2 beside models, which is run in place of it"),
        (["models=[lite0,lite1]", "task=visualize"], "this task takes one classifier: give model=NAME"),
        (["budget.halfwidth=1"], "unknown key 'budget.halfwidth': did you mean 'budget.half_width'"),
        (["task=visualize", "images=many"], "images=many: give a whole number"),
        (["task=images", "max_images=-1"], "max_images=-1: give the number of images, 0 for no pictures"),
        (["max_images=many"], "max_images=many: give a whole number"),
        (["task=gate", "tolerance=[1]"], r"tolerance=\[1\]: give a number"),
        (["exports=pdf"], r"exports=pdf: give a list, \[ONE,ANOTHER\]"),
        (["exports=[pdf]"], "unknown export 'pdf'"),
        (["model=[1]"], r"model=\[1\]: give the name of one choice; valid names: .*lite0"),
        (["runtime=3"], "runtime=3: give the name of one choice"),
        (["store=nowhere://results"], "store nowhere://results cannot be opened"),
        (["name=../elsewhere"], "name='../elsewhere': give the name of one folder"),
        (["runtime.device=cuda:77"], "runtime.device=cuda:77 is not usable here"),
        (["benchmarks.corruption.source=magic"], "unknown corruption source 'magic'"),
        (["benchmarks.corruption.severities=[0,9]"], "severities are 1 to 5"),
        (["=="], "=="),
    ],
)
def test_mistakes_are_refused_in_one_line_with_the_nearest_names(overrides, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        preflight(overrides)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("classes", "overrides", "message"),
    [
        (["airplane"], ["model=lite0"], r"class 'airplane' of .* is not among the classifier's classes: .*imagenet"),
        (["n01440764"], ["model=cifar10_resnet18"], r"'n01440764' of .* is not among the classifier's .*cifar10"),
        (["airplane"], ["model=cifar10_resnet18", "benchmark=transfer"], r"surrogate lite0 has imagenet .*cifar10"),
        (
            [str(number) for number in range(5)],
            ["model.name=resnet18", "model.weights=random", "model.num_classes=100"],
            r"numbers its 5 classes from 0 to 4, and the classifier has 100 classes .*data\.label_space=columns",
        ),
    ],
)
def test_classes_that_do_not_fit_are_refused_before_any_work(tmp_path, classes, overrides, message):
    for name in classes:
        (tmp_path / name).mkdir()
        (tmp_path / name / "one.jpg").touch()
    data = ["data=folder", f"data.root={tmp_path}", f"store={tmp_path}/store"]
    benchmark = [] if "benchmark=transfer" in overrides else ["benchmark=clean"]
    with pytest.raises(ConfigurationError, match=message) as caught:
        preflight([*overrides, *benchmark, *data])
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "store").exists()


def test_a_sweep_without_m_is_refused_in_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "model=lite0,lite1", f"hydra.run.dir={tmp_path}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "snowwolf: model=lite0,lite1 is a sweep over several jobs: add -m\n"


def test_a_report_of_nothing_is_one_line_and_exit_code_1(tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "task=report", f"store={tmp_path}/none", f"hydra.run.dir={tmp_path}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == (f"snowwolf: the store {tmp_path}/none is empty: run a sweep first, e.g. snowwolf")


def test_a_sweep_is_expanded_as_hydra_does():
    assert list(expand_jobs(["model=lite0,lite1", "seed=1", "hydra.verbose=true"])) == [
        ["model=lite0", "seed=1"],
        ["model=lite1", "seed=1"],
    ]


@pytest.mark.parametrize("group", ["model", "defense", "data", "benchmark", "suite", "runtime", "engine", "task"])
def test_every_yaml_composes(group):
    import hydra

    needs = {"data=folder": ["data.root=/"]}
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        for path in sorted((CONF / group).glob("*.yaml")):
            choice = f"{group}={path.stem}"
            hydra.compose("config", overrides=[choice, *needs.get(choice, [])])


def test_the_exit_code_is_2_and_nothing_is_written(tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "-m", "model=lite0,lite7", f"store={tmp_path / 'store'}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.strip().startswith("snowwolf: unknown model 'lite7'")
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(Path(tmp_path).iterdir()) == []
