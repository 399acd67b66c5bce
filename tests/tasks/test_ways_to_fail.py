"""Whatever goes wrong in a sweep, at whatever point: the exit code is not 0, and the last line says what is missing."""

import logging
import re

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from ways_to_fail import WAYS, table

from bench.cli.main import main
from bench.conf_files import CONF

SMALL = ["model.name=test_resnet", "model.weights=random", "benchmark=clean", "data.limit=2", "runtime.workers=0"]


@pytest.fixture
def sweep(tmp_path, monkeypatch, capsys):
    """Run the sweep of ``overrides`` in this process; its exit code and its last line."""
    root, hydras = logging.getLogger(), HydraConfig.instance().cfg
    handlers, level = root.handlers[:], root.level
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")  # main sets it, and this takes it back
    monkeypatch.chdir(tmp_path)
    places = {
        "store": "store",
        "reports": "reports",
        "hydra.sweep.dir": "out",
        "hydra.run.dir": "out",
        "runtime.cache_dir": "crops",
    }

    def run(*overrides, several=True):
        given = {override.partition("=")[0] for override in overrides}
        own = [f"{key}={tmp_path}/{place}" for key, place in places.items() if key not in given]
        own += [override for override in SMALL if override.partition("=")[0] not in given]
        try:
            code = main([*["-m"] * several, *own, *overrides])
        except SystemExit as left:
            code = left.code
        return code, capsys.readouterr().err.strip().splitlines()[-1:]

    yield run
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:], HydraConfig.instance().cfg = handlers, hydras
    root.setLevel(level)
    GlobalHydra.instance().clear()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way.when}-{way.part}-{way.what}".replace(" ", "_"))
def test_a_failure_looks_like_one(way, sweep, tmp_path, monkeypatch):
    way.provoke(tmp_path, monkeypatch)
    code, last = sweep(*(override.replace("DIR", str(tmp_path)) for override in way.overrides), several=way.several)
    assert code == way.code
    pattern = ".*".join(re.escape(part.replace("DIR", str(tmp_path))) for part in way.last.split("..."))
    assert re.fullmatch(pattern, *last), last
    if way.when == "before":
        made = {path.name for path in tmp_path.iterdir()}
        assert made.isdisjoint({"store", "reports", "out", "crops", "outputs"}), "refused before any work"


@pytest.mark.parametrize("several", [True, False])
def test_where_nothing_fails_the_exit_code_is_0(sweep, several):
    code, said = sweep(several=several)
    assert code == 0
    # random weights guess, and that is said; nothing else is
    assert all(line.startswith("snowwolf: warning: test_resnet (random): clean accuracy") for line in said)


def test_the_documentation_has_the_table():
    """``python tests/tasks/ways_to_fail.py`` prints it anew."""
    assert table() in (CONF.parent / "docs" / "reliability.md").read_text()
