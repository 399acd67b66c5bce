"""The alarms of an adversarial evaluation, on a real classifier and real images."""

import numpy as np
import pytest
import torch

from bench.attacks.self_checks import (
    check_epsilon_zero,
    check_in_ball,
    check_monotone_in_epsilon,
    check_monotone_in_steps,
    check_zero_gradients,
)
from bench.benchmarks import Batch
from bench.benchmarks.adversarial import parse_epsilon
from bench.benchmarks.attack import Attack
from bench.benchmarks.clean import Clean
from bench.data import DataConfig, load_dataset, open_crops
from bench.errors import ConfigurationError
from bench.models import ModelConfig, load_classifier
from bench.models.fast import prepare_fast


def fgsm(epsilons):
    return Attack(attack="fgsm", epsilons=epsilons, options={}, norm=None, restarts=1, target="")


def pgd(epsilons, steps, relative_step_size):
    options = {"steps": steps, "rel_stepsize": relative_step_size}
    return Attack(attack="pgd_linf", epsilons=epsilons, options=options, norm=None, restarts=1, target="")


EPSILONS = ("0", "0.25/255", "1/255", "4/255")


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    classifier = load_classifier(ModelConfig(name="lite0"))
    dataset = load_dataset(DataConfig(name="samples", source="samples", limit=10))
    cache = tmp_path_factory.mktemp("cache")
    crops = open_crops(dataset, classifier.crop, cache_dir=cache, cache_gb=1, workers=0, on_error="refuse")
    batch = Batch(crops.read(range(10)), torch.as_tensor(crops.labels), crops.image_ids)
    network = prepare_fast(classifier)

    def run(benchmark):
        return {item.strength: benchmark.run(network, batch, item, seed=0) for item in benchmark.conditions()}

    return run


@pytest.mark.parametrize(
    "benchmark",
    [fgsm(EPSILONS), pgd(EPSILONS, 5, 0.25)],
    ids=["fgsm", "pgd"],
)
def test_no_alarm_goes_off(attacked, benchmark):
    outcomes = attacked(benchmark)
    clean = attacked(Clean())[0.0]
    checks = [check_epsilon_zero(clean.correct, outcomes[0.0].correct)]
    checks += [check_in_ball(found.extra["distance"], epsilon, 1e-6) for epsilon, found in outcomes.items()]
    slack = 0.1 if benchmark.attack == "fgsm" else 0.0  # one step too long may miss what a shorter one hits
    checks.append(check_monotone_in_epsilon({e: found.correct for e, found in outcomes.items()}, slack=slack))
    shares = outcomes[4 / 255].extra["zero_gradient"]
    checks.append(check_zero_gradients(shares[~np.isnan(shares)]))
    assert all(check.passed for check in checks), [check.message for check in checks if not check.passed]
    assert clean.correct.mean() > outcomes[4 / 255].correct.mean(), "the attack does something"


def test_more_steps_do_not_raise_robust_accuracy(attacked):
    correct = {steps: attacked(pgd(("0.5/255",), steps, 0.25))[0.5 / 255].correct for steps in (1, 4, 12)}
    check = check_monotone_in_steps(correct)
    assert check.passed, check.message


@pytest.mark.parametrize(("text", "value"), [("4/255", 4 / 255), ("0.5/255", 0.5 / 255), (0.1, 0.1), ("0", 0.0)])
def test_epsilons_are_fractions_of_255_by_custom(text, value):
    assert parse_epsilon(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["four", "1/0", "-1/255", "1/2/3", "nan", "inf"])
def test_an_epsilon_that_is_none_is_refused(text):
    with pytest.raises(ConfigurationError, match="epsilon"):
        parse_epsilon(text)
