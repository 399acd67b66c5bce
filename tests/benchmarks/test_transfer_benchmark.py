"""Transfer on a label subset: surrogate, target and labels decide among the same classes, worked by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bench.benchmarks import transfer
from bench.benchmarks.transfer import Transfer
from bench.data.label_spaces import CIFAR10, LabelSpace, imagenet, unnamed_classes
from bench.errors import ConfigurationError
from bench.records import Outcomes
from bench.results import Store
from bench.sweep import RuntimeConfig, plan_cells, plan_units, run_local
from tests.conftest import ChannelMeans, ToyCrops

RED, GREEN, BLUE = 0, 1, 2
FGSM = Transfer(surrogates=("toy",), epsilons=(0.1,), attack="fgsm", options={})


def plain_images(*colors):
    return (255 * torch.tensor(colors)).round().byte().view(len(colors), 3, 1, 1).expand(-1, -1, 8, 8).clone()


@pytest.fixture
def outcomes(tmp_path, channel_means, monkeypatch):
    """Images of one color each, attacked on a surrogate that is the classifier's double."""
    surrogate = ChannelMeans().eval()
    monkeypatch.setattr(transfer, "_surrogate", lambda name: SimpleNamespace(weights_digest="00ff"))
    monkeypatch.setattr(transfer, "_on_device", lambda name, device: surrogate)

    def run(colors, labels, class_ids):
        ids = np.array([f"image_{i}" for i in range(len(labels))])
        crops = ToyCrops(plain_images(*colors), np.array(labels), ids, class_ids=class_ids)
        cells = plan_cells(channel_means, {"transfer": (FGSM, crops)}, seed=0)
        units = plan_units(cells, Store(str(tmp_path / "store")), chunk=10)
        (result,) = run_local(
            {channel_means.name: channel_means}, units, RuntimeConfig(device="cpu", workers=0), seed=0
        )
        assert result.error == ""
        back = np.argsort(result.unit.positions)
        columns = {name: column[back] for name, column in result.outcomes.columns().items()}
        fixed = [columns.pop(name) for name in ("image_id", "label", "prediction", "confidence")]
        return Outcomes(*fixed, extra=columns)

    return run


def test_the_surrogate_is_attacked_among_the_classes_that_labels_number(outcomes):
    # green is no class here, though it is the brightest; 0.1 off one channel and onto the other passes 0.05 of it
    colors = [(0.45, 0.9, 0.5), (0.6, 0.9, 0.55), (0.2, 0.9, 0.8)]
    found = outcomes(colors, [BLUE, RED, BLUE], (BLUE, RED))
    assert found.label.tolist() == [BLUE, RED, BLUE]
    assert found.extra["clean_prediction"].tolist() == [BLUE, RED, BLUE], "the classifier's columns, as all the others"
    assert found.extra["surrogate_fooled"].tolist() == [True, True, False], (
        "right among the classes of the subset, then broken"
    )
    assert found.prediction.tolist() == [RED, BLUE, BLUE], "its images fool the classifier too"


def test_without_a_subset_the_same_images_are_wrong_from_the_start(outcomes):
    found = outcomes([(0.45, 0.9, 0.5)], [BLUE], None)
    assert found.extra["clean_prediction"].tolist() == [GREEN]
    assert found.extra["surrogate_fooled"].tolist() == [False]


@pytest.mark.parametrize(
    "classifier", [CIFAR10, unnamed_classes(999), LabelSpace("backwards", 1000, imagenet().class_names[::-1])]
)
def test_a_surrogate_of_other_classes_or_another_order_is_refused(classifier):
    benchmark = Transfer(surrogates=("lite0",), epsilons=(0.1,), attack="fgsm", options={})
    benchmark.check_classifier(imagenet())
    with pytest.raises(ConfigurationError, match=r"surrogate lite0 has imagenet .*, and the classifier"):
        benchmark.check_classifier(classifier)
