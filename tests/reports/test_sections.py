"""Sections by axis: a plug-in's benchmark has one without any edit, or registers one; the core names no benchmark."""

import ast
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

import bench.reports
from bench.attacks.catalogue import ATTACKS
from bench.benchmarks import LOWER, Benchmark, Metric, registry
from bench.conf_files import CONF
from bench.errors import ConfigurationError
from bench.records import Condition, Outcomes
from bench.reports import Plot, Section, register_section, sections, write_report
from bench.results import Store

PLUGINS = Path(__file__).parents[1] / "plugin"
N = 20
RIGHT = {"first": {0.0: 18, 0.2: 15, 0.5: 8}, "second": {0.0: 18, 0.2: 12}}


@pytest.fixture
def shade(monkeypatch):
    """The plug-in tests/plugin/shade.py, known during one test."""
    monkeypatch.setattr(registry, "_plugged", {})
    monkeypatch.setattr(sections, "_makers", dict(sections._makers))
    spec = importlib.util.spec_from_file_location("shade_in_reports", PLUGINS / "shade.py")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def outcomes(right, extra=None):
    labels = np.arange(N) % 7
    names = np.array([f"image_{i}" for i in range(N)])
    predictions = np.where(np.arange(N) < right, labels, labels + 1)
    return Outcomes(names, labels, predictions, np.full(N, 0.5, np.float32), extra or {})


@pytest.fixture
def store(tmp_path, make_spec, provenance):
    """Two classifiers on clean and shaded images; the second one's largest shade is missing."""
    store = Store(str(tmp_path / "store"))
    for classifier, shades in RIGHT.items():
        digest = classifier.encode().hex()
        clean = make_spec(classifier=classifier, weights_digest=digest, n_images=N)
        store.write_part(clean, outcomes(19), 0, provenance)
        for strength, right in shades.items():
            spec = make_spec(
                classifier=classifier,
                weights_digest=digest,
                n_images=N,
                benchmark="shade",
                condition=Condition("shade", strength),
                strength_unit="shade",
            )
            store.write_part(spec, outcomes(right), 0, provenance)
    return store


@pytest.mark.usefixtures("shade")
def test_a_plug_ins_benchmark_has_a_table_and_a_plot_without_any_edit(store, tmp_path):
    write_report(store, tmp_path / "report")
    table = pd.read_csv(tmp_path / "report" / "conditions.csv")
    assert set(table["benchmark"]) == {"shade"}
    assert set(table["axis"]) == {"Shade"}
    assert set(table["metric"]) == {"accuracy"}
    rows = table.set_index(["label", "strength"])
    assert sorted(rows.index) == sorted((name, shade) for name, shades in RIGHT.items() for shade in shades)
    for (name, strength), row in rows.iterrows():
        right = RIGHT[name][strength]
        exact = binomtest(right, N).proportion_ci(0.95)
        assert row["value"] == right / N
        assert [row["value_low"], row["value_high"]] == pytest.approx([exact.low, exact.high])
        assert row["n_images"] == N
    page = (tmp_path / "report" / "leaderboard.html").read_text()
    assert "<h2>Shade: accuracy against shade</h2>" in page


@pytest.mark.usefixtures("shade")
def test_a_plug_in_may_register_a_section_and_nobody_else_for_the_same_axis(store, tmp_path):
    seen = []

    @register_section("Shade")
    def shade_section(data):
        seen.append(sorted(entry.label for entry in data.entries))
        table = pd.DataFrame({"label": [entry.label for entry in data.entries]})
        chart = alt.Chart(pd.DataFrame({"x": [1]})).mark_point().encode(x="x:Q")
        return Section({"shade.csv": table, "empty.csv": table.iloc[:0]}, [Plot("A plot of shades", "Note.", chart)])

    write_report(store, tmp_path / "report")
    assert seen == [["first", "second"]]
    assert sorted(pd.read_csv(tmp_path / "report" / "shade.csv")["label"]) == ["first", "second"]
    assert not (tmp_path / "report" / "empty.csv").exists()
    assert not (tmp_path / "report" / "conditions.csv").exists()
    assert "<h2>A plot of shades</h2>" in (tmp_path / "report" / "leaderboard.html").read_text()
    for axis in ("Shade", "Corruptions"):
        with pytest.raises(ConfigurationError, match=f"two functions make the section of the axis '{axis}'"):
            register_section(axis)(lambda data: Section({}, []))


@pytest.mark.usefixtures("shade")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../shade.csv", "name it NAME.csv"),
        ("shade.html", "name it NAME.csv"),
        ("missing.csv", "two tables of the report are called missing.csv"),
        ("corruptions.csv", "two tables of the report are called corruptions.csv"),
    ],
)
def test_a_table_writes_over_no_other_file(store, tmp_path, name, message):
    register_section("Shade")(lambda data: Section({name: pd.DataFrame({"x": [1]})}, []))
    with pytest.raises(ConfigurationError, match=message):
        write_report(store, tmp_path / "report")


def test_where_the_figure_is_no_accuracy_it_is_the_declared_metric(tmp_path, monkeypatch, make_spec, provenance):
    @dataclass(frozen=True, kw_only=True)
    class Drift(Benchmark):
        name = "drift"
        version = "1"
        strength_unit = "pixels"
        metrics = (
            Metric(
                "mean_drift",
                "Drift",
                LOWER,
                lambda measured: np.mean([measured.outcomes(c)["drift"] for c in measured.conditions], axis=0),
                percent=False,
            ),
        )

        def conditions(self):
            return (Condition("drift", 1.0), Condition("drift", 2.0))

        def run(self, classifier, batch, condition, *, seed):
            raise NotImplementedError

    monkeypatch.setattr(registry, "_plugged", {"drift": Drift})
    store = Store(str(tmp_path / "store"))
    drifts = {1.0: np.linspace(0, 3, N), 2.0: np.linspace(2, 9, N)}
    for strength, drift in drifts.items():
        condition = Condition("drift", strength)
        spec = make_spec(n_images=N, benchmark="drift", condition=condition, strength_unit="pixels")
        store.write_part(spec, outcomes(7, {"drift": drift}), 0, provenance)
    write_report(store, tmp_path / "report")
    table = pd.read_csv(tmp_path / "report" / "conditions.csv").set_index("strength")
    assert set(table["metric"]) == {"mean_drift"}
    assert set(table["axis"]) == {"drift"}
    for strength, drift in drifts.items():
        row = table.loc[strength]
        assert row["value"] == pytest.approx(drift.mean())
        spread = 1.96 * drift.std(ddof=1) / np.sqrt(N)  # the normal interval, which the bootstrap is close to
        assert row["value_high"] - row["value"] == pytest.approx(spread, rel=0.25)
        assert row["value"] - row["value_low"] == pytest.approx(spread, rel=0.25)
    assert "<h2>drift: mean drift against pixels</h2>" in (tmp_path / "report" / "leaderboard.html").read_text()


def test_a_report_without_such_a_benchmark_has_no_generic_section(tmp_path, make_spec, provenance):
    store = Store(str(tmp_path / "store"))
    store.write_part(make_spec(n_images=N), outcomes(19), 0, provenance)
    write_report(store, tmp_path / "report")
    assert not (tmp_path / "report" / "conditions.csv").exists()


def literals(tree):
    """The string constants of a module that are no docstrings."""
    documented = (ast.Expr,)
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, documented)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped
    }


CORE = [path for path in sorted(Path(bench.reports.__file__).parent.glob("*.py")) if path.stem != "reference"]
WORDS = {"clean", "attack", "noise", "square", "transfer"}
"""Names that are also words of the field: columns ``clean`` of comparisons and ``attack`` of self-checks."""


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_no_file_outside_the_folders_of_the_axes_names_a_benchmark(path):
    names = {*registry.BUILT_IN, *ATTACKS, *(file.stem for file in (CONF / "benchmark").glob("*.yaml"))} - WORDS
    tree = ast.parse(path.read_text())
    assert literals(tree) & names == set()
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules = {place.partition(":")[0] for place in registry.BUILT_IN.values()}
    assert imported & modules == set()
