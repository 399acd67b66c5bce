"""``exports=[robustbench]``: a model file as RobustBench's own, and none for less than the standard attack."""

import json
from dataclasses import replace

import numpy as np
import pytest

import bench
from bench.records import Condition, Outcomes
from bench.reports import write_report
from bench.results import Store

N = 5000


@pytest.fixture
def store(tmp_path, make_spec, provenance):
    """A classifier that is right on 3,201 clean images and withstands AutoAttack on 1,748, and one attacked by less."""
    store = Store(str(tmp_path / "store"))
    labels = np.arange(N) % 1000
    names = np.array([f"ILSVRC2012_val_{i + 1:08d}.JPEG" for i in range(N)])

    def write(spec, right, extra):
        predictions = np.where(np.arange(N) < right, labels, (labels + 1) % 1000)
        outcomes = Outcomes(names, labels, predictions, np.full(N, 0.5, np.float32), extra)
        store.write_part(spec, outcomes, 0, replace(provenance, published="imagenet/Linf/Salman2020Do_R50"))

    attacked = {
        "distance": np.zeros(N),
        "success": np.zeros(N, bool),
        "queries": np.ones(N, np.int64),
        "zero_gradient": np.zeros(N, np.float32),
        "stage": np.full(N, ""),
    }
    for classifier, options in (("Salman/R50", {}), ("hasty", {"stages": ["apgd-ce"]})):
        digest = classifier.encode().hex()[:16]
        write(make_spec(classifier=classifier, weights_digest=digest, n_images=N), 3201, {})
        attack = bench.benchmark("autoattack", options=options)
        (condition,) = attack.conditions()
        spec = make_spec(
            classifier=classifier,
            weights_digest=digest,
            n_images=N,
            benchmark="autoattack",
            condition=condition,
            strength_unit="epsilon",
            parameters=attack.parameters(),
            departure=attack.departure,
        )
        write(spec, 1748, attacked)
    return store


def test_the_file_has_robustbenchs_fields_and_digits(store, tmp_path):
    write_report(store, tmp_path / "report", ["robustbench"])
    (file,) = (tmp_path / "report" / "robustbench").iterdir()
    assert file.name == "Salman_R50_autoattack_linf_4_255.json", "a slash in a name makes no folder"
    content = json.loads(file.read_text())
    assert (content["clean_acc"], content["autoattack_acc"], content["eps"]) == ("64.02", "34.96", "4/255")
    assert (content["dataset"], content["architecture"]) == ("imagenet", "Salman/R50")
    assert "5,000 images" in content["footnote"]


def test_the_published_robust_accuracy_stands_beside_it(store):
    from bench.reports.published_figures.tables import published_table

    results = bench.open_results(store.root)
    table = published_table(results._board(), results._entries()).set_index(["label", "metric"])
    row = table.loc[("Salman/R50", "autoattack_robust_accuracy")]
    assert (row["published"], row["verdict"], row["note"]) == (34.96, "agrees", "on the same images")
    assert not any("hasty" in label and "autoattack" in metric for label, metric in table.index)


@pytest.mark.shared_data
def test_the_fields_are_those_of_a_published_file(store, tmp_path, shared_data):
    write_report(store, tmp_path / "report", ["robustbench"])
    (file,) = (tmp_path / "report" / "robustbench").iterdir()
    own = json.loads(file.read_text())
    published = shared_data / "published" / "robustbench" / "imagenet" / "Linf" / "Salman2020Do_R50.json"
    theirs = json.loads(published.read_text())
    assert list(own)[: len(theirs)] == list(theirs)
    assert set(own) - set(theirs) == {"footnote"}
    for field in ("clean_acc", "autoattack_acc", "eps", "dataset", "number_forward_passes", "unreliable"):
        assert own[field] == theirs[field]


def test_no_file_is_written_without_autoattack(tmp_path, make_spec, provenance):
    store = Store(str(tmp_path / "store"))
    outcomes = Outcomes(np.array(["a"]), np.array([0]), np.array([0]), np.ones(1, np.float32))
    store.write_part(make_spec(n_images=1, condition=Condition("clean")), outcomes, 0, provenance)
    write_report(store, tmp_path / "report", ["robustbench"])
    assert not (tmp_path / "report" / "robustbench").exists()
