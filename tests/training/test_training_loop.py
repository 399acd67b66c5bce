"""Training runs: resumed bit for bit, robust where plain training is not, stopped when they collapse."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from bench.attacks import AttackSpec, run_attack
from bench.errors import ConfigurationError, DataError
from bench.training import Recipe, Training, check_classes, with_new_head
from bench.training import train as train_module
from bench.training.checkpoint import LOG, STATE, EpochRecord
from bench.training.holdout import HoldoutAccuracy

RECIPE = Recipe(epochs=4, batch_size=16, holdout=16, epsilon="0.08", learning_rate=0.05, crop_shift=0.0, flip=False)
CPU = torch.device("cpu")


class PowerCutError(Exception):
    """A power cut."""


def finish(classifier, crops, recipe, folder):
    training = Training(classifier, crops, recipe, folder, seed=7, device=CPU)
    for _ in training.epochs():
        pass
    return training


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path, tiny, two_cues, steps):
    recipe, crops = replace(RECIPE, steps=steps), two_cues()
    whole = finish(tiny(), crops, recipe, tmp_path / "whole" / "run")

    folder = tmp_path / "resumed" / "run"
    next(Training(tiny(), crops, recipe, folder, seed=7, device=CPU).epochs())

    def cut(epoch, _):
        if epoch == 3:
            raise PowerCutError

    torch.rand(5)  # the global generator stands elsewhere in another process
    second = Training(tiny(), crops, recipe, folder, seed=7, device=CPU)
    assert second.images_left == 3 * 48
    with pytest.raises(PowerCutError):
        list(second.epochs(cut))
    resumed = finish(tiny(), crops, recipe, folder)

    assert (folder / "run.safetensors").read_bytes() == whole.weights.read_bytes()
    for name, value in whole.classifier.state_dict().items():
        assert torch.equal(value, resumed.classifier.state_dict()[name]), name
    timeless = [[replace(record, seconds=0) for record in run.history] for run in (whole, resumed)]
    assert timeless[0] == timeless[1]
    lines = (folder / LOG).read_text().splitlines()
    assert [EpochRecord.from_json(line) for line in lines] == list(resumed.history)
    assert finish(tiny(), crops, recipe, folder).images_left == 0
    assert not list(folder.glob(".writing-*"))


def test_adversarial_training_withstands_pgd_where_plain_training_does_not(tmp_path, tiny, two_cues):
    crops, unseen = two_cues(256), two_cues(128, seed=1)
    pixels, labels = unseen.pixels / 255, torch.from_numpy(unseen.labels)
    robust = {}
    for name, steps in [("plain", 0), ("fast_fgsm", 1), ("pgd", 3)]:
        recipe = replace(RECIPE, name=name, steps=steps, epochs=8, step_size=1.25 if steps == 1 else 0.5)
        training = finish(tiny(dropout=0.0), crops, recipe, tmp_path / name)
        classifier = tiny()
        classifier.network.load_state_dict(load_file(training.weights))
        result = run_attack(classifier, pixels, labels, AttackSpec("pgd_linf", {"steps": 20}), 0.08, seeds=range(128))
        robust[name] = 1 - result.success.mean()
    assert robust["plain"] < 0.4
    assert min(robust["fast_fgsm"], robust["pgd"]) > robust["plain"] + 0.2


def test_the_best_epoch_is_kept_and_a_collapse_ends_training(tmp_path, tiny, two_cues, monkeypatch):
    told = iter([HoldoutAccuracy(0.5, 0.3, 0.2), HoldoutAccuracy(0.6, 0.4, 0.3), HoldoutAccuracy(0.8, 0.9, 0.01)])
    monkeypatch.setattr(train_module, "judge_holdout", lambda *_, **__: next(told))
    training = Training(tiny(), two_cues(), RECIPE, tmp_path / "run", seed=7, device=CPU)
    snapshots = [
        {name: value.clone() for name, value in training.classifier.network.state_dict().items()}
        for _ in training.epochs()
    ]
    assert len(snapshots) == 3
    assert "catastrophic overfitting" in training.stopped
    assert training.best.epoch == 2
    kept = load_file(training.weights)
    assert all(torch.equal(kept[name], value) for name, value in snapshots[1].items())
    again = Training(tiny(), two_cues(), RECIPE, tmp_path / "run", seed=7, device=CPU)
    assert again.images_left == 0
    assert again.stopped == training.stopped
    assert list(again.epochs()) == []


def test_the_state_is_read_without_unpickling_code(tmp_path, tiny, two_cues):
    finish(tiny(), two_cues(), replace(RECIPE, epochs=1), tmp_path)
    assert torch.load(tmp_path / STATE, weights_only=True)["format"] == 1


def test_another_training_in_the_folder_is_refused_by_name(tmp_path, tiny, two_cues):
    finish(tiny(), two_cues(), replace(RECIPE, epochs=1), tmp_path)
    with pytest.raises(ConfigurationError, match=r"recipe\.steps was 1 and is now 3; choose another out"):
        Training(tiny(), two_cues(), replace(RECIPE, epochs=1, steps=3), tmp_path, seed=7, device=CPU)
    with pytest.raises(ConfigurationError, match="seed was 7 and is now 8"):
        Training(tiny(), two_cues(), replace(RECIPE, epochs=1), tmp_path, seed=8, device=CPU)


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04"])
def test_a_damaged_state_is_an_error_in_words(tmp_path, tiny, two_cues, content):
    (tmp_path / STATE).write_bytes(content)
    with pytest.raises(DataError, match="not a training state"):
        Training(tiny(), two_cues(), RECIPE, tmp_path, seed=7, device=CPU)


def test_nothing_left_to_train_on_is_refused(tmp_path, tiny, two_cues):
    with pytest.raises(ConfigurationError, match="leaves nothing to train on: there are 16 images"):
        Training(tiny(), two_cues(16), RECIPE, tmp_path, seed=7, device=CPU)


def test_a_diverging_loss_ends_in_words_and_leaves_no_checkpoint(tmp_path, tiny, two_cues):
    recipe = replace(RECIPE, learning_rate=1e30)
    with pytest.raises(ConfigurationError, match=r"the loss is (nan|inf) in epoch 1: lower recipe.learning_rate"):
        finish(tiny(), two_cues(), recipe, tmp_path)
    assert not (tmp_path / STATE).exists()


def test_the_head_must_fit_the_labels(tiny):
    labels = np.array([0, 1, 4])
    with pytest.raises(ConfigurationError, match=r"label 4, but tiny_test_net has 2 logits: add model.num_classes=5"):
        check_classes(tiny(), labels)
    assert check_classes(tiny(5), labels) == "the images show 3 of the 5 classes of tiny_test_net"
    assert check_classes(tiny(2), np.array([1, 0])) == ""
    before = tiny()
    after = with_new_head(tiny(), 5, seed=0)
    assert check_classes(after, np.arange(5)) == ""
    assert after.weights_digest != before.weights_digest
    assert torch.equal(after.network.conv.weight, before.network.conv.weight)
    assert with_new_head(tiny(), 5, seed=0).weights_digest == after.weights_digest
