"""Decisions among 16 categories: mean aggregation, cues from names, images shown as they are."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from bench.benchmarks import Batch, NonFiniteLogitsError
from bench.benchmarks.cue_conflict import CueConflict
from bench.benchmarks.parametric import Parametric
from bench.benchmarks.sixteen_way import SixteenWay, category_scores, judge_categories
from bench.cli.checks import preflight
from bench.cli.schemas import register_schemas
from bench.data import CropRecipe
from bench.data.categories import CATEGORIES, CategoryMap, imagenet_categories
from bench.data.label_spaces import CIFAR10, LabelSpace, imagenet, unnamed_classes
from bench.errors import ConfigurationError, DataError
from bench.models import ModelConfig, load_classifier


def batch(*image_ids, labels):
    images = torch.zeros(len(image_ids), 3, 8, 8, dtype=torch.uint8)
    return Batch(images, torch.tensor(labels), np.array(image_ids))


def fixed(*logits):
    """A classifier that answers the same logits whatever it sees."""
    return lambda images: torch.tensor([logits]).expand(len(images), -1)


def test_a_category_is_scored_by_the_mean_of_its_probabilities_by_hand():
    # probabilities .3 .2 | .4 | .1: sums .5 .4 .1, maxima .3 .4 .1, means .25 .4 .1
    toy = CategoryMap({"airplane": (0, 1), "bear": (2,), "bird": (3,)})
    logits = torch.tensor([[0.3, 0.2, 0.4, 0.1]]).log() + 7
    assert category_scores(logits, toy).exp()[0].tolist() == pytest.approx([0.25, 0.4, 0.1])
    judged = judge_categories(logits, batch("a", labels=[0]), toy)
    assert judged.extra["decision"].tolist() == ["bear"], "their sum would say airplane"
    assert judged.confidence[0] == pytest.approx(0.4 / 0.75)


def test_the_mean_is_neither_the_sum_nor_the_maximum_nor_the_mean_of_logits():
    # one class of two has it all: means .3 .25 .2
    toy = CategoryMap({"airplane": (0, 1), "bear": (2, 3, 4, 5, 6), "bird": (7,)})
    probabilities = torch.tensor([[0.36, 0.24, 0.02, 0.02, 0.05, 0.05, 0.05, 0.21]])
    judged = judge_categories(probabilities.log(), batch("a", labels=[0]), toy)
    assert judged.extra["decision"].tolist() == ["airplane"]
    # a dominant class among five: maximum says bear, mean says bird
    probabilities = torch.tensor([[0.1, 0.1, 0.4, 0.01, 0.01, 0.01, 0.01, 0.36]])
    judged = judge_categories(probabilities.log(), batch("a", labels=[0]), toy)
    assert judged.extra["decision"].tolist() == ["bird"]


def test_the_imagenet_map_is_applied_as_a_loop_over_softmax_means_would():
    logits = torch.randn(5, 1000, generator=torch.Generator().manual_seed(0)) * 3
    scores = category_scores(logits, imagenet_categories()).exp().numpy()
    for row, values in zip(scores, logits.double().numpy(), strict=True):
        probabilities = [math.exp(value) for value in values]
        total = sum(probabilities)
        for score, columns in zip(row, imagenet_categories().columns.values(), strict=True):
            expected = sum(probabilities[column] / total for column in columns) / len(columns)
            assert score == pytest.approx(expected, rel=1e-4)


def test_probabilities_that_underflow_are_still_told_apart():
    toy = CategoryMap({"airplane": (0,), "bear": (1,)})
    judged = judge_categories(torch.tensor([[-400.0, -300.0, 0.0]]), batch("a", labels=[0]), toy)
    assert judged.extra["decision"].tolist() == ["bear"]


def test_logits_without_a_decision_are_an_error():
    toy = CategoryMap({"airplane": (0,), "bear": (1,)})
    with pytest.raises(NonFiniteLogitsError):
        judge_categories(torch.tensor([[0.0, 1.0, math.nan]]), batch("a", labels=[0]), toy)


@pytest.mark.parametrize(
    "classifier", [CIFAR10, unnamed_classes(999), LabelSpace("backwards", 1000, imagenet().class_names[::-1])]
)
@pytest.mark.parametrize("benchmark", [SixteenWay(), CueConflict(), Parametric(decision="categories")])
def test_the_published_map_is_refused_to_other_classes_before_any_work(benchmark, classifier, toy_map):
    benchmark.check_classifier(imagenet())
    with pytest.raises(ConfigurationError, match=r"published map .* is of imagenet .*, and the classifier has"):
        benchmark.check_classifier(classifier)
    benchmark = replace(benchmark, class_map=toy_map)
    benchmark.check_classifier(classifier)
    with pytest.raises(ConfigurationError, match=r"has the column \d+, and the classifier has 1 classes"):
        benchmark.check_classifier(unnamed_classes(1))


@pytest.mark.parametrize("n_classes", [10, 1001, 21841])
def test_another_label_space_needs_a_map_of_its_own(n_classes):
    with pytest.raises(DataError, match=rf"has {n_classes} classes.*is for 1000.*class_map=FILE"):
        category_scores(torch.zeros(1, n_classes), imagenet_categories())


@pytest.fixture
def toy_map(tmp_path):
    path = tmp_path / "map.json"
    path.write_text(json.dumps({"cat": [0], "dog": [1], "truck": [2]}))
    return str(path)


def test_outcomes_carry_shape_texture_and_decision(toy_map):
    shown = batch("cat/cat1-dog2.png", "dog/dog1-cat2.png", "truck/truck1-truck2.png", labels=[7, 10, 15])
    benchmark = CueConflict(class_map=toy_map)
    outcomes = benchmark.run(fixed(0.0, 2.0, 1.0), shown, benchmark.conditions()[0], seed=0)
    assert outcomes.extra["shape"].tolist() == ["cat", "dog", "truck"]
    assert outcomes.extra["texture"].tolist() == ["dog", "cat", "truck"]
    assert outcomes.extra["decision"].tolist() == ["dog"] * 3
    assert [CATEGORIES[number] for number in outcomes.prediction] == ["dog"] * 3
    assert outcomes.correct.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("image_id", "label", "message"),
    [
        ("cat/cat1-dog2.png", 10, "labelled 'dog', but its name says 'cat'"),
        ("cat/cat1-bear2.png", 7, "the class map has no 'bear'"),
        ("bear/bear1-cat2.png", 1, "the class map has no 'bear'"),
        ("cat/photo.png", 7, "not the name of a cue-conflict image"),
    ],
)
def test_images_that_cannot_be_judged_are_refused(toy_map, image_id, label, message):
    benchmark = CueConflict(class_map=toy_map)
    with pytest.raises(DataError, match=message):
        benchmark.run(fixed(0.0, 2.0, 1.0), batch(image_id, labels=[label]), benchmark.conditions()[0], seed=0)


def test_labels_that_are_no_categories_are_refused(toy_map):
    benchmark = SixteenWay(class_map=toy_map)
    with pytest.raises(DataError, match="none of the 16 categories"):
        benchmark.run(fixed(0.0, 2.0, 1.0), batch("n01440764/a.png", labels=[281]), benchmark.conditions()[0], seed=0)


@pytest.mark.parametrize("mode", ["center", "squash", "border"])
def test_a_224_image_reaches_a_224_model_untouched(mode):
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    own = CropRecipe(224, 224, 0.875, mode, "bicubic", (1, 2, 3) if mode == "border" else None)
    crop = CueConflict().recipe(own)(Image.fromarray(pixels))
    assert np.array_equal(crop.transpose(1, 2, 0), pixels)
    assert not np.array_equal(own(Image.fromarray(pixels)).transpose(1, 2, 0), pixels)


def test_without_a_resize_a_larger_model_sees_the_published_pixels_alone():
    own = CropRecipe(260, 260, 0.9, "center", "bicubic")
    recipe = SixteenWay(resize="none").recipe(own)
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    assert np.array_equal(recipe(Image.fromarray(pixels)).transpose(1, 2, 0), pixels)
    assert SixteenWay(resize="none").shown_size(own) == (224, 224)
    assert SixteenWay().shown_size(own) == (260, 260)
    assert SixteenWay(resize="none").parameters() != SixteenWay().parameters()
    with pytest.raises(ValueError, match="512 x 224 pixels; without a resize only 224 x 224"):
        recipe(Image.new("L", (512, 224)))
    with pytest.raises(ConfigurationError, match="resize=own or resize=none, not 'no'"):
        SixteenWay(resize="no")


@pytest.mark.parametrize(
    ("model", "refused"),
    [("efficientnet_lite2", False), ("vit_tiny_patch16_384", True)],
)
def test_a_classifier_that_cannot_take_the_published_size_is_refused_before_any_work(model, refused):
    register_schemas()
    overrides = [f"model.name={model}", "model.weights=random", "benchmark=cue_conflict", "benchmark.resize=none"]
    overrides += ["benchmark.data.source=cue_conflict_samples", "benchmark.data.root=null"]
    if not refused:
        preflight(overrides)
        return
    with pytest.raises(
        ConfigurationError, match=r"cue_conflict shows .* not take images of 224 x 224 pixels.*resize=own"
    ):
        preflight(overrides)


def test_the_identity_holds_what_the_map_says_and_not_where_it_lies(toy_map, tmp_path):
    copy = tmp_path / "copy.csv"
    copy.write_text("cat,0\ndog,1\ntruck,2\n")
    assert CueConflict(class_map=toy_map).parameters() == CueConflict(class_map=str(copy)).parameters()
    assert CueConflict().parameters() == {"categories": "imagenet", "resize": "own"}


@pytest.mark.shared_data
def test_decisions_of_a_real_network_equal_a_plain_pipeline(shared_data):
    """lite0 by hand: PIL, timm and NumPy, and nothing of ours but the loaded network."""
    classifier = load_classifier(ModelConfig(name="lite0"))
    published = json.loads((shared_data / "sixteen_categories.json").read_text())["categories"]
    config = timm.data.resolve_model_data_config(classifier.network)
    mean, std = (np.array(config[name], dtype=np.float32) for name in ("mean", "std"))
    files = sorted((shared_data / "cue_conflict").rglob("*.png"))[::29]
    pixels = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    with torch.no_grad():
        inputs = torch.from_numpy((pixels.astype(np.float32) / 255 - mean) / std).permute(0, 3, 1, 2)
        probabilities = classifier.network(inputs).double().softmax(dim=1).numpy()
    means = np.stack([probabilities[:, columns].mean(axis=1) for columns in published.values()], axis=1)
    by_hand = [list(published)[place] for place in means.argmax(axis=1)]

    benchmark = CueConflict()
    recipe = benchmark.recipe(classifier.crop)
    shown = Batch(
        torch.from_numpy(np.stack([recipe(Image.open(file)) for file in files])),
        torch.tensor([CATEGORIES.index(file.parent.name) for file in files]),
        np.array([f"{file.parent.name}/{file.name}" for file in files]),
    )
    outcomes = benchmark.run(classifier, shown, benchmark.conditions()[0], seed=0)
    assert outcomes.extra["decision"].tolist() == by_hand
