"""The sections on trust: tables and page of networks whose confidence is known to be right, or known to be too sure."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

import bench
from bench.benchmarks.clean import Clean
from bench.benchmarks.trust_scores import TrustScores
from bench.benchmarks.trust_scores_corrupted import TrustScoresCorrupted

N, SIDE, CLASSES = 600, 32, 3


class Channels(nn.Module):
    """Logits that are ``sharpness`` times the channel means: at 1, labels drawn below have these probabilities."""

    def __init__(self, sharpness):
        super().__init__()
        self.register_buffer("sharpness", torch.tensor(float(sharpness)))  # part of the weights' digest

    def forward(self, images):
        return self.sharpness * 8 * images.mean(dim=(2, 3))


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A calibrated network and one that is twice too sure; labels were drawn from the softmax of the first."""
    place = tmp_path_factory.mktemp("trust")
    generator = torch.Generator().manual_seed(0)
    level = torch.randint(0, 256, (N, 3, 1, 1), generator=generator)
    images = level.expand(N, 3, SIDE, SIDE).to(torch.uint8).contiguous()
    probabilities = Channels(1)(images.float() / 255).softmax(dim=1)
    labels = torch.multinomial(probabilities, 1, generator=generator)[:, 0]
    networks = [
        bench.make_classifier(Channels(sharpness), name=name, input_size=SIDE, class_names=list("rgb"))
        for name, sharpness in (("right", 1), ("too sure", 2))
    ]
    corrupted = TrustScoresCorrupted(corruptions=("contrast", "fog", "saturate"), severities=(5,), protocol="native")
    benchmarks = [Clean(), TrustScores(), corrupted]
    results = bench.evaluate(networks, (images, labels), benchmarks, store=str(place / "runs"), threads=1)
    results.report(place / "report")
    return results, place / "report"


def table(report, name):
    return pd.read_csv(report[1] / f"{name}.csv")


def test_temperature_scaling_finds_out_who_is_too_sure(report):
    rows = table(report, "temperature").query("benchmark == 'trust_scores'").set_index("classifier")
    assert rows["n_fitted"].tolist() == rows["n_images"].tolist() == [N // 2, N // 2]
    assert rows.loc["right", "temperature"] == pytest.approx(1, rel=0.2)
    assert rows.loc["too sure", "temperature"] == pytest.approx(2 * rows.loc["right", "temperature"], rel=0.01)
    # dividing the logits of one by its temperature gives those of the other
    assert rows["scaled_log_loss"].tolist() == pytest.approx([rows["scaled_log_loss"].mean()] * 2, rel=1e-3)
    too_sure = rows.loc["too sure"]
    assert too_sure["expected_calibration_error"] > 2 * too_sure["scaled_expected_calibration_error"]
    assert too_sure["overconfidence_low"] > 0.02
    assert abs(too_sure["scaled_overconfidence"]) < 0.05
    assert not rows["at_end_of_range"].any()


def test_selective_prediction_is_that_of_the_stored_columns(report):
    results, _ = report
    rows = table(report, "selective").set_index("classifier")
    assert set(rows["benchmark"]) == {"clean"}
    board = table(report, "leaderboard").set_index("classifier")
    for name, row in rows.iterrows():
        stored = results.outcomes("clean", classifier=name)
        assert row["failure_auroc"] == pytest.approx(roc_auc_score(~stored["correct"], -stored["confidence"]))
        surest = stored.sort_values("confidence", ascending=False)["correct"].to_numpy()
        assert row["accuracy_at_50_percent"] == pytest.approx(surest[: N // 2].mean(), abs=0.005)
        risks = 1 - surest.cumsum() / np.arange(1, N + 1)
        assert row["aurc"] == pytest.approx(risks.mean(), abs=1e-3)
        assert board.loc[name, "aurc"] == pytest.approx(row["aurc"])


def test_conformal_sets_are_judged_on_images_that_they_were_not_fitted_on(report):
    rows = table(report, "conformal")
    clean = rows.query("benchmark == 'trust_scores'")
    assert (rows["n_fitted"] == N // 2).all()
    assert (rows["n_images"] == N // 2).all()
    # two halves of 300 images: three standard errors of a difference
    assert (abs(clean["coverage"] - (1 - clean["alpha"])) < 3 * np.sqrt(2 * 0.1 * 0.9 / 300)).all()
    assert (clean["set_size"] <= CLASSES).all()
    for _, group in rows.query("alpha == 0.1").groupby(["classifier", "method"]):
        coverage = group.set_index("condition")["coverage"]
        assert set(coverage.index) == {"trust_scores", "contrast", "fog", "saturate"}
        # images of one colour have no contrast to lose; fog makes them alike, and the network unsure of all of them;
        # saturation makes it surer than it may be, and the sets lose the label
        assert coverage["contrast"] == pytest.approx(coverage["trust_scores"], abs=0.02)
        assert coverage["saturate"] < coverage["trust_scores"] - 0.03 < coverage["fog"]


def test_the_page_shows_them(report):
    page = (report[1] / "leaderboard.html").read_text()
    for heading in (
        "Answering only when sure",
        "Temperature scaling",
        "Coverage of conformal sets",
        "Risk and coverage",
    ):
        assert heading in page
    assert "Images of no known class" not in page  # none were run


def test_a_store_without_the_scores_has_no_such_section(tmp_path):
    images = torch.randint(0, 256, (12, 3, SIDE, SIDE), dtype=torch.uint8)
    model = bench.make_classifier(Channels(1), name="right", input_size=SIDE, class_names=list("rgb"))
    results = bench.evaluate(model, (images, torch.arange(12) % 3), [Clean()], store=str(tmp_path / "runs"), threads=1)
    results.report(tmp_path / "report")
    assert not list((tmp_path / "report").glob("selective.csv"))
    assert "Answering only when sure" not in (tmp_path / "report" / "leaderboard.html").read_text()
