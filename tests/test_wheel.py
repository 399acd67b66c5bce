"""The wheel: built, installed in an empty environment and run in an empty folder, as a user would."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from bench import __version__
from bench.results import Store

ROOT = Path(__file__).parents[1]
SOURCES = ("bench", "conf", "pyproject.toml", "setup.py", "README.md", "LICENSE")
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
JOB = [
    "model=lite0",
    "suite=nightly",
    "~benchmarks.pgd",
    "benchmarks.corruption.corruptions=[contrast]",
    "benchmarks.corruption.severities=[3]",
    "benchmarks.fgsm.epsilons=[0.01]",
    "benchmarks.noise.epsilons=[0.01]",
    "data.limit=4",
    "runtime.workers=0",
    "runtime.threads=1",
    "runtime.cache_dir=crops",
]


def run(*words, cwd):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment["OMP_NUM_THREADS"] = "1"
    return subprocess.run([*map(str, words)], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy, so that no build folder of the checkout is used or left."""
    place = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, place / name)
    built = run(*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", place / "dist", place, cwd=place)
    assert built.returncode == 0, built.stderr
    [path] = (place / "dist").iterdir()
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The ``bin`` of a new environment with the wheel in it, which sees the third-party packages of this one.

    Its ``.pth`` line adds this environment's folder of packages to ``sys.path``; ``.pth`` files in that folder, such
    as that of an editable install of this checkout, are not read.
    """
    place = tmp_path_factory.mktemp("environment") / "v"
    venv.create(place, with_pip=False)
    python = place / "bin" / "python"
    [packages] = place.glob("lib/python*/site-packages")
    done = run(*PIP, "--python", python, "install", "--no-deps", wheel, cwd=place)
    assert done.returncode == 0, done.stderr
    parents = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "parent.pth").write_text("\n".join(sorted(parents)) + "\n")
    return python.parent


def test_the_wheel_has_the_configuration_and_nothing_beside_the_package(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    yamls = {name.removeprefix("bench/conf/") for name in names if name.startswith("bench/conf/")}
    assert yamls == {str(path.relative_to(ROOT / "conf")) for path in (ROOT / "conf").rglob("*.yaml")}
    assert {name.partition("/")[0] for name in names} == {"bench", f"snowwolf-{__version__}.dist-info"}


@pytest.mark.parametrize(
    ("line", "suggested"),
    [
        ("snowwolf suite=ima", ["suite=imagenet", "suite=imagenet_linf"]),
        ("snowwolf engine=", ["engine=local", "engine=processes", "engine=ray"]),
        ("snowwolf att", ["attacks"]),
        ("snowwolf models conv", []),
    ],
)
def test_bash_completes_the_command(installed, tmp_path, line, suggested):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    script = f"""
        PATH={installed}:$PATH
        eval "$(snowwolf -sc install=bash)"
        COMP_LINE="{line}"; COMP_WORDS=($COMP_LINE); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        hydra_bash_completion
        echo "${{COMPREPLY[@]}}"
    """
    done = run(bash, "-c", script, cwd=tmp_path)
    assert (done.stdout.split(), done.stderr) == (suggested, "")


@pytest.mark.slow
def test_the_command_runs_to_its_page_in_the_users_folder(installed, tmp_path):
    where = run(installed / "python", "-c", "import bench.conf_files as c; print(c.__file__, c.CONF)", cwd=tmp_path)
    assert all(Path(path).is_relative_to(installed.parent) for path in where.stdout.split()), where
    done = run(installed / "snowwolf", *JOB, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"crops", "outputs", "reports", "runs"}
    cells = Store(str(tmp_path / "runs" / "default")).cells()
    assert sorted(cell.spec.entry for cell in cells) == ["clean", "corruption", "fgsm", "noise"]
    assert all(cell.complete and cell.spec.n_images == 4 for cell in cells)
    report = tmp_path / "reports" / "default"
    assert "lite0" in (report / "leaderboard.html").read_text()
    [row] = pd.read_csv(report / "leaderboard.csv").to_dict("records")
    head, figures, page = done.stdout.splitlines()[-3:]
    assert head.split()[:2] == ["Classifier", "Images"]
    assert figures.split()[:3] == [row["label"], "4", f"{100 * row['clean_accuracy']:.1f}"]
    assert page.startswith("page: reports/default/leaderboard.html")
    again = run(installed / "snowwolf", "task=report", "name=again", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "reports" / "again" / "leaderboard.csv").read_text() == (report / "leaderboard.csv").read_text()


SCRIPT = """
import torch, bench
from torch import nn

class ChannelMeans(nn.Module):
    def forward(self, images):
        return 10 * images.mean(dim=(2, 3))

images = torch.rand(24, 3, 32, 32) * 0.1
labels = torch.arange(24) % 3
images[range(24), labels] += 0.5
print(bench.evaluate(ChannelMeans(), (images, labels), ["clean", "fgsm"]).leaderboard())
"""
"""At most 12 lines, as docs/library.md shows them."""


@pytest.mark.slow
def test_a_short_script_evaluates_a_hand_written_network(installed, tmp_path):
    assert len(SCRIPT.strip().splitlines()) <= 12
    (tmp_path / "mine.py").write_text(SCRIPT)
    done = run(installed / "python", "mine.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "ChannelMeans" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"mine.py"}
