"""What only looks things up imports no heavy library; the help names all that there is."""

import json
import re
import subprocess
import sys

import pytest

import bench
from bench.cli.discover import LISTS
from bench.cli.help import help_text
from bench.conf_files import CONF, groups
from bench.results import Store

HEAVY = {"torch", "timm", "torchvision", "pandas", "altair", "matplotlib", "numba", "foolbox", "cv2", "sklearn"}
SCRIPT = """
import json, sys
from bench.cli.main import main
code = main(sys.argv[1:])
print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


@pytest.fixture
def start(tmp_path):
    """Run a command in an empty folder and an interpreter of its own: its output, and the modules it imported."""

    def run(*words):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, *words],
            cwd=tmp_path,
            env={"PYTHONPATH": str(CONF.parent)},
            capture_output=True,
            text=True,
            check=True,
        )
        *said, last = done.stdout.splitlines()
        code, modules = json.loads(last)
        assert code == 0
        return "\n".join(said), set(modules)

    return run


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("--help", "everyday commands"),
        ("--version", f"snowwolf {bench.__version__}"),
        ("task=list", "store runs/default: empty"),
        ("benchmarks", "corruption"),
        ("models", "lite0"),
        ("data", "folder"),
        ("-sc=install=bash", "complete"),
    ],
)
def test_nothing_heavy_is_imported(start, command, says):
    said, modules = start(*command.split("=", 1) if command.startswith("-sc") else [command])
    assert says in said
    assert modules & HEAVY == set()


def test_listing_stored_cells_imports_nothing_heavy(start, tmp_path, make_spec, make_outcomes, provenance):
    Store(str(tmp_path / "store")).write_part(make_spec(), make_outcomes(0, 10), 0, provenance)
    said, modules = start("task=list", f"store={tmp_path}/store")
    assert "linear" in said
    assert "clean 1/1" in said
    assert modules & HEAVY == set()


def test_the_help_names_every_group_choice_and_list():
    text = help_text([CONF])
    words = set(re.findall(r"[\w.]+", text))
    for group in groups():
        assert group in words
        for path in (CONF / group).glob("*.yaml"):
            assert path.stem in words, f"{group}={path.stem}"
    assert words >= LISTS.keys()
    assert "schema" not in words
    assert max(map(len, text.splitlines())) <= 100


def test_the_help_names_the_choices_of_a_folder_of_ones_own(tmp_path):
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "my_own_suite.yaml").write_text("# @package _global_\n")
    assert "my_own_suite" in help_text([CONF, tmp_path])


def test_the_list_has_the_choices_of_a_folder_of_ones_own(start, tmp_path):
    (tmp_path / "own" / "suite").mkdir(parents=True)
    (tmp_path / "own" / "suite" / "my_own_suite.yaml").write_text("# @package _global_\n")
    said, _ = start("--config-dir", "own", "task=list")
    assert "my_own_suite" in said
