"""What ``trust_scores`` and the OOD benchmarks store, against SciPy, and their figures on networks known by hand."""

import shutil
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import log_softmax, logsumexp, softmax
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import nn

import bench
from bench.benchmarks import Batch
from bench.benchmarks.clean import Clean
from bench.benchmarks.imagenet_o import ImageNetO, ImageNetOClean
from bench.benchmarks.ood import Ood
from bench.benchmarks.stored_scores import (
    is_calibration,
    judge_unlabelled,
    judge_with_scores,
    known_class_scores,
    read_logits,
    read_profile,
)
from bench.benchmarks.trust_scores import TrustScores
from bench.benchmarks.trust_scores_corrupted import TrustScoresCorrupted
from bench.data import DataConfig
from bench.data.label_spaces import KNOWN_SPACES, imagenet
from bench.errors import ConfigurationError
from bench.library.presets import preset_suite
from bench.metrics.conformal import label_scores


def batch_of(n, labels):
    return Batch(torch.zeros(n, 3, 2, 2, dtype=torch.uint8), labels, np.array([f"image_{i}" for i in range(n)]))


def frame(outcomes):
    return pd.DataFrame({**outcomes.columns(), "correct": outcomes.correct})


@pytest.mark.parametrize("n_classes", [3, 10, 1000])
def test_stored_columns_are_those_of_the_softmax(n_classes):
    generator = torch.Generator().manual_seed(n_classes)
    logits = 4 * torch.randn(50, n_classes, generator=generator)
    labels = torch.randint(0, n_classes, (50,), generator=generator)
    stored = frame(judge_with_scores(logits, batch_of(50, labels)))
    exact, rows = logits.double().numpy(), np.arange(50)
    probabilities = softmax(exact, axis=1)
    scores = known_class_scores(stored)
    assert np.allclose(scores["msp"], probabilities.max(axis=1), atol=1e-6)
    assert np.allclose(scores["max_logit"], exact.max(axis=1), atol=1e-5)
    assert np.allclose(scores["energy"], logsumexp(exact, axis=1), atol=1e-5)
    likeliest = np.sort(probabilities, axis=1)[:, -100:]
    assert np.allclose(scores["gen"], -(likeliest**0.1 * (1 - likeliest) ** 0.1).sum(axis=1), atol=1e-3)
    own = read_logits(stored)
    assert np.allclose(own.log_loss(1.0), -log_softmax(exact, axis=1)[rows, labels], atol=1e-5)
    profile = read_profile(stored, n_classes)
    assert np.allclose(profile.label, probabilities[rows, labels], atol=1e-6)
    above = [p[p > p[label]].sum() for p, label in zip(probabilities, labels.tolist(), strict=True)]
    assert np.allclose(profile.above, above, atol=1e-6)
    assert np.allclose(profile.cumulative[:, 1], np.sort(probabilities, axis=1)[:, -2:].sum(axis=1), atol=1e-6)


def test_gen_worked_by_hand():
    stored = frame(judge_unlabelled(torch.log(torch.tensor([[0.5, 0.25, 0.25]])), batch_of(1, torch.zeros(1).long())))
    expected = 0.25**0.1 + 2 * (0.25 * 0.75) ** 0.1
    assert known_class_scores(stored)["gen"][0] == pytest.approx(-expected, abs=1e-5)
    assert stored["label"].tolist() == [-1]
    assert stored["prediction"].tolist() == [0]


def test_tied_classes_stand_in_their_order():
    logits = torch.zeros(2, 4)
    stored = frame(judge_with_scores(logits, batch_of(2, torch.tensor([0, 2]))))
    assert stored["mass_above_label"].tolist() == [0, 0.5]


def test_the_halves_follow_from_the_names():
    stored = frame(judge_with_scores(torch.randn(31, 4), batch_of(31, torch.zeros(31).long())))
    half = is_calibration(stored)
    assert half.sum() == 15
    shuffled = stored.sample(frac=1, random_state=0)
    assert set(shuffled["image_id"][is_calibration(shuffled)]) == set(stored["image_id"][half])
    share = read_profile(stored, 4).share
    assert 0.3 < share.mean() < 0.7


class Brightness(nn.Module):
    """Sure of what is bright: the logit of class 0 is ``scale`` times the mean of the image, the others are 0."""

    def __init__(self, n_classes, scale):
        super().__init__()
        self.n_classes, self.scale = n_classes, scale

    def forward(self, images):
        return nn.functional.pad(self.scale * images.mean(dim=(1, 2, 3))[:, None], (0, self.n_classes - 1))


@pytest.fixture
def sample_files():
    return sorted(
        Path(str(path)) for path in (files("foolbox") / "data").iterdir() if path.name.startswith("imagenet_")
    )


@pytest.fixture
def ordinary(tmp_path, sample_files):
    """Photographs of eight of ImageNet's classes."""
    for file in sample_files[:8]:
        place = tmp_path / "val" / imagenet().class_names[int(file.stem.split("_")[2])]
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place / file.name)
    return str(tmp_path / "val")


def settings(tmp_path, n_classes=1000):
    names = list(imagenet().class_names)[:n_classes]
    folder = {"store": str(tmp_path / "runs"), "cache_dir": str(tmp_path / "cache")}
    return {**folder, "class_names": names, "input_size": 32, "threads": 1, "workers": 0}


def evaluate_ood(tmp_path, ordinary, sets, **changes):
    benchmark = replace(Ood(), near=("photographs",), far=("textures", "noise"), **changes)
    own = settings(tmp_path)
    network = Brightness(1000, 20)
    bench.evaluate(network, DataConfig(root=ordinary), [TrustScores()], **own)
    return bench.evaluate(network, sets, [benchmark], **own)


def test_ood_figures_are_those_of_scikit_learn(tmp_path, ordinary):
    results = evaluate_ood(tmp_path, ordinary, DataConfig(source="ood_samples"))
    known, other = results.outcomes("trust_scores"), results.outcomes("ood")
    sets = other["image_id"].str.partition("/")[0]
    auroc = {
        name: roc_auc_score(
            np.r_[np.ones((sets == name).sum()), np.zeros(len(known))],
            -np.r_[other["confidence"][sets == name], known["confidence"]],
        )
        for name in ("photographs", "textures", "noise")
    }
    [row] = results.leaderboard().to_dict("records")
    assert row["near_ood_auroc"] == pytest.approx(auroc["photographs"])
    assert row["far_ood_auroc"] == pytest.approx((auroc["textures"] + auroc["noise"]) / 2)
    assert row["far_ood_auroc_low"] <= row["far_ood_auroc"] <= row["far_ood_auroc_high"]
    assert not other["correct"].any()
    assert "ood" not in set(results.scores().query("metric == 'accuracy'")["benchmark"])  # no prediction is right


def test_the_order_of_images_and_sets_has_no_effect(tmp_path, ordinary, sample_files):
    """The same files as folders, and as lists in another order."""
    sets = {"textures": sample_files[8:11], "noise": sample_files[11:13], "photographs": sample_files[13:16]}
    lists = tmp_path / "lists"
    lists.mkdir()
    for name, members in sets.items():
        place = tmp_path / "sets" / name
        place.mkdir(parents=True)
        paths = [shutil.copy(file, place / file.name) for file in members]
        rows = [f"{name}/{path.name} -1\n" for path in reversed(paths)]
        (lists / f"test_{name}.txt").write_text("".join(rows))
    rows = [
        evaluate_ood(tmp_path / which, ordinary, config).leaderboard().to_dict("records")[0]
        for which, config in {
            "folders": DataConfig(source="unlabelled", root=str(tmp_path / "sets")),
            "lists": DataConfig(source="unlabelled", root=str(tmp_path / "sets"), labels=str(lists)),
        }.items()
    ]
    for name in ("near_ood_auroc", "near_ood_auroc_low", "far_ood_auroc", "far_ood_auroc_high"):
        assert rows[0][name] == pytest.approx(rows[1][name])


def test_a_set_that_is_not_there_is_said_to_be_missing(tmp_path, ordinary):
    own = settings(tmp_path)
    network = Brightness(1000, 20)
    bench.evaluate(network, DataConfig(root=ordinary), [TrustScores()], **own)
    results = bench.evaluate(network, DataConfig(source="ood_samples"), [Ood()], **own)
    [row] = results.leaderboard().to_dict("records")
    assert np.isnan(row["near_ood_auroc"])
    assert "the images have no set ssb_hard, ninco" in row["notes"]


def test_ood_images_are_needed_for_it():
    with pytest.raises(ConfigurationError, match=r"needs images labelled with sets.*data\.source=unlabelled"):
        bench.evaluate(Brightness(1000, 1), DataConfig(source="samples"), [Ood()], input_size=32)


def test_the_suite_finds_openoods_folder_and_imagenet_o(tmp_path):
    for folder in ("OpenOOD/data", "imagenet-o/n01443537"):
        (tmp_path / folder).mkdir(parents=True)
    suite = preset_suite("openood", DataConfig(root="val"), str(tmp_path))
    assert list(suite) == ["clean", "trust_scores", "ood", "imagenet_o", "imagenet_o_clean"]
    assert suite["ood"].data.root == str(tmp_path / "OpenOOD" / "data")
    assert (suite["imagenet_o"].data.source, suite["imagenet_o"].data.label_space) == ("unlabelled", "imagenet_o")
    shutil.rmtree(tmp_path / "imagenet-o")
    assert list(preset_suite("openood", DataConfig(root="val"), str(tmp_path))) == ["clean", "trust_scores", "ood"]


class OneLogitEach(nn.Module):
    """Class 0 of ImageNet, which ImageNet-O leaves out, has a huge logit; its own first class follows brightness."""

    def forward(self, images):
        logits = torch.zeros(len(images), 1000)
        logits[:, 0] = 50
        logits[:, KNOWN_SPACES["imagenet_o"].subset()[0]] = 8 * images.mean(dim=(1, 2, 3))
        return logits


def test_imagenet_o_is_decided_on_among_its_200_classes(tmp_path, sample_files):
    kept = KNOWN_SPACES["imagenet_o"].subset()
    names = imagenet().class_names
    ordinary = [(sample_files[0], kept[0]), (sample_files[1], kept[5]), (sample_files[2], 0)]
    for file, number in ordinary:
        place = tmp_path / "val" / names[number]
        place.mkdir(parents=True)
        shutil.copy(file, place / file.name)
    for file in sample_files[3:8]:
        place = tmp_path / "imagenet-o" / names[kept[7]]
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place / file.name)
    own = settings(tmp_path)
    network = OneLogitEach()
    bench.evaluate(network, DataConfig(root=str(tmp_path / "val")), [Clean(), ImageNetOClean()], **own)
    unlabelled = DataConfig(source="unlabelled", root=str(tmp_path / "imagenet-o"), label_space="imagenet_o")
    results = bench.evaluate(network, unlabelled, [ImageNetO()], **own)
    known, other = results.outcomes("imagenet_o_clean"), results.outcomes("imagenet_o")
    assert len(known) == 2  # the image of class 0 is left out
    assert set(known["prediction"]) | set(other["prediction"]) == {kept[0]}  # and so is its logit
    assert set(other["label"]) == {-1}
    top = other["top_logit"].to_numpy(dtype=float)
    assert np.allclose(other["confidence"], np.exp(top) / (np.exp(top) + 199), atol=1e-5)
    [row] = results.leaderboard().to_dict("records")
    label = np.r_[np.ones(5), np.zeros(2)]
    score = -np.r_[other["confidence"], known["confidence"]]
    assert row["imagenet_o_aupr"] == pytest.approx(average_precision_score(label, score))
    assert row["imagenet_o_auroc"] == pytest.approx(roc_auc_score(label, score))


def test_coverage_is_that_of_the_clean_quantile_under_corruption(tmp_path, ordinary):
    own = settings(tmp_path)
    corrupted = TrustScoresCorrupted(corruptions=("brightness", "contrast"), severities=(5,))
    results = bench.evaluate(Brightness(1000, 20), DataConfig(root=ordinary), [TrustScores(), corrupted], **own)
    clean = results.outcomes("trust_scores").reset_index(drop=True)
    half = is_calibration(clean)
    fitted = 1 - read_profile(clean, 1000).label[half]
    quantile = np.sort(fitted)[3] if len(fitted) >= 9 else np.inf  # ceil(5 x .9) = 5 of 4 scores: every set is whole
    covered = []
    stored = results.outcomes("trust_scores_corrupted")
    for _, rows in stored.groupby("condition", sort=True):
        profile = read_profile(rows.reset_index(drop=True), 1000)
        covered.append(label_scores(profile.rows(~half), "threshold") <= quantile)
    [row] = results.leaderboard().to_dict("records")
    assert row["corrupted_coverage"] == np.mean(covered) == 1
    assert row["conformal_set_size"] == 1000
    assert row["log_loss"] == pytest.approx(-np.log(read_profile(clean, 1000).label).mean(), abs=1e-5)
