"""A network that relies on a planted tag is caught by the audit, and one that does not is not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from planted import RECIPE, TAG, draw_discs, train_pair

from bench.benchmarks import Batch
from bench.benchmarks.cam_audit import CamAudit
from bench.benchmarks.faithfulness import COLUMNS, Faithfulness
from bench.benchmarks.shortcut import NEED_REGIONS, Shortcut
from bench.corruptions.shortcuts import paste_tag
from bench.data import CropRecipe
from bench.errors import ConfigurationError, DataError
from bench.explain import attribute
from bench.explain.clusters import attributed_features, pooled_maps, spectral_clusters
from bench.metrics.audit import mean_change, mean_present, relies_on

N = 60


@pytest.fixture(scope="module")
def pair():
    return dict(zip(("clean", "planted"), train_pair(), strict=True))


@pytest.fixture(scope="module")
def discs():
    return draw_discs(N, seed=1)


@pytest.fixture
def make_disc_crops(discs, make_crops, tmp_path):
    """The discs, or other images with their regions, and the folder of the regions' masks."""
    for place, mask in enumerate(discs.masks.numpy()):
        Image.fromarray(mask.astype(np.uint8) * 255).save(tmp_path / f"image_{place}.png")

    def make(images):
        toy = make_crops(N, side=48)
        crops = replace(toy, pixels=images, labels=discs.labels.numpy())
        object.__setattr__(crops, "recipe", RECIPE)
        return crops, str(tmp_path)

    return make


def run(benchmark, classifier, crops, condition, positions=range(N)):
    rows = list(positions)
    shown = benchmark.read(crops, rows, condition, seed=0)
    batch = Batch(shown.images, torch.as_tensor(crops.labels[rows]), crops.image_ids[rows], side=shown.side)
    return benchmark.run(classifier, batch, condition, seed=0)


@pytest.mark.parametrize(("name", "caught"), [("clean", False), ("planted", True)])
def test_a_planted_shortcut_is_caught_and_a_clean_network_is_not(name, caught, pair, discs, make_disc_crops):
    crops, _ = make_disc_crops(discs.images)
    benchmark = Shortcut(shortcuts=("tag",), tag_side=TAG)
    [condition] = benchmark.conditions()
    outcomes = run(benchmark, pair[name], crops, condition)
    extra = outcomes.extra
    change = mean_change(outcomes.correct.astype(float), extra["clean_correct"])
    moved = mean_change(extra["mass"], extra["clean_mass"])
    print(
        f"{name}: accuracy {extra['clean_correct'].mean():.3f} -> {outcomes.correct.mean():.3f} with the tag;"
        f" attribution on the tag {np.nanmean(extra['clean_mass']):.3f} -> {np.nanmean(extra['mass']):.3f}"
    )
    assert extra["clean_correct"].mean() > 0.8, "both networks know their discs"
    assert relies_on(change, moved) is caught
    if caught:
        assert (outcomes.prediction == 0).mean() > 0.9, "the tag means class 0"
        assert moved.value > 0.2
    else:
        assert change.value > -0.1
        assert moved.value < 0.1


def test_the_audit_sees_attribution_leave_the_object(pair, discs, make_disc_crops):
    energies = {}
    for kind, images in (("plain", discs.images), ("tagged", paste_tag(discs.images, TAG))):
        crops, masks = make_disc_crops(images)
        benchmark = CamAudit(regions=masks)
        for name, classifier in pair.items():
            outcomes = run(benchmark, classifier, crops, *benchmark.conditions())
            energies[name, kind] = mean_present(outcomes.extra["attribution_in_box"]).value
    print("attribution in the box:", {" ".join(key): round(value, 3) for key, value in energies.items()})
    area = float(discs.masks.double().mean())
    assert energies["clean", "plain"] > 2 * area
    assert energies["clean", "tagged"] > 2 * area
    assert energies["planted", "plain"] > 2 * area
    assert energies["planted", "tagged"] < area


@pytest.mark.parametrize("by", ["map", "features"])
def test_a_shortcut_nobody_knew_of_is_a_cluster_of_its_own(by, pair, discs):
    tagged = torch.arange(N) % 3 == 1  # images of one class; all of them end up as class 0
    images = torch.where(tagged[:, None, None, None], paste_tag(discs.images, TAG), discs.images).float() / 255
    classifier = pair["planted"]
    predicted = classifier(images).argmax(dim=1)
    maps = attribute(classifier, images, predicted, "grad_cam")
    points = pooled_maps(maps) if by == "map" else attributed_features(classifier, images, predicted, maps)
    known = torch.isfinite(points).all(dim=1)
    found = spectral_clusters(points[known].numpy(), clusters=None if by == "map" else 3).labels
    shares = [tagged[known].numpy()[found == cluster].mean() for cluster in range(found.max() + 1)]
    print(f"by {by}: share of tagged images in each cluster:", np.round(shares, 2), "of sizes", np.bincount(found))
    assert max(shares) > 0.9
    assert np.mean([share in (0, 1) for share in shares]) >= 0.5


def test_the_audit_without_regions_has_no_figure_of_an_object(pair, discs, make_disc_crops):
    crops, _ = make_disc_crops(discs.images)
    outcomes = run(CamAudit(), pair["clean"], crops, *CamAudit().conditions())
    assert set(outcomes.extra) == {"entropy", "centre_distance"}
    assert CamAudit().parameters()["regions"] == "none"


def test_an_image_without_a_region_is_absent_and_never_zero(pair, discs, make_disc_crops, tmp_path):
    crops, masks = make_disc_crops(discs.images)
    (tmp_path / "image_3.png").unlink()
    benchmark = CamAudit(regions=masks)
    with pytest.raises(DataError, match=r"1 of 60 images .*image_3"):
        run(benchmark, pair["clean"], crops, *benchmark.conditions())
    outcomes = run(replace(benchmark, missing="absent"), pair["clean"], crops, *benchmark.conditions())
    for column in ("attribution_in_box", "pointing_hit", "region_share", "centre_energy", "centre_hit"):
        assert np.flatnonzero(np.isnan(outcomes.extra[column])).tolist() == [3]
    assert np.isfinite(outcomes.extra["entropy"]).all()


def test_the_label_or_the_prediction_is_explained(pair, discs, make_disc_crops):
    crops, masks = make_disc_crops(paste_tag(discs.images, TAG))
    benchmark = CamAudit(regions=masks)
    predicted = run(benchmark, pair["planted"], crops, *benchmark.conditions())
    label = run(replace(benchmark, target="label"), pair["planted"], crops, *benchmark.conditions())
    entropies = predicted.extra["entropy"], label.extra["entropy"]
    same = np.isclose(*entropies, equal_nan=True)
    assert predicted.correct.any()
    assert same[predicted.correct].all()
    assert not same[~predicted.correct].all()


@pytest.mark.parametrize("shortcut", NEED_REGIONS)
def test_object_and_background_are_told_apart(shortcut, discs, make_disc_crops):
    crops, masks = make_disc_crops(discs.images)
    benchmark = Shortcut(shortcuts=(shortcut,), regions=masks)
    read = benchmark.read(crops, range(4), benchmark.conditions()[0], seed=0)
    shown, images, changed = read.images, read.side["original"], read.side["changed"]
    assert torch.equal(images, discs.images[:4])
    inside = discs.masks[:4]
    assert torch.equal(changed, inside if shortcut == "object_blank" else ~inside)
    kept = ~changed[:, None].expand_as(shown)
    assert torch.equal(shown[kept], images[kept])
    assert not torch.equal(shown, images)
    again = benchmark.read(crops, [2], benchmark.conditions()[0], seed=0)
    assert torch.equal(again.images[0], read.images[2]), "whatever else is in the batch"


def test_another_background_is_of_another_class(make_disc_crops, discs):
    flat = torch.zeros_like(discs.images)
    for label in range(3):
        flat[discs.labels == label] = 50 * (label + 1)
    crops, masks = make_disc_crops(flat)
    benchmark = Shortcut(shortcuts=("background_swap",), regions=masks)
    shown = benchmark.read(crops, range(12), benchmark.conditions()[0], seed=0).images[:, 0]
    corner = shown[:, -1, -1] // 50 - 1
    assert (corner != discs.labels[:12]).all()


def test_changes_of_the_background_need_regions():
    with pytest.raises(ConfigurationError, match=r"background_blank.* need object regions"):
        Shortcut().check()
    Shortcut(shortcuts=("tag",)).check()
    with pytest.raises(ConfigurationError, match=r"'tga'.*'tag'"):
        Shortcut(shortcuts=("tga",))
    with pytest.raises(ConfigurationError, match="patches"):
        Shortcut(patches=1)


def test_regions_are_known_by_their_content(tmp_path, make_disc_crops, discs):
    make_disc_crops(discs.images)
    parameters = CamAudit(regions=str(tmp_path)).parameters()
    assert str(tmp_path) not in str(parameters)
    assert CamAudit(method="grad_cam", target="predicted", missing="refuse", regions=str(tmp_path)).check() is None
    with pytest.raises(ConfigurationError, match="target is predicted or label"):
        CamAudit(target="true")
    with pytest.raises(ConfigurationError, match="no object regions"):
        CamAudit(regions=str(tmp_path / "none")).check()


def test_faithfulness_of_a_trained_networks_maps(pair, discs, make_disc_crops):
    crops, _ = make_disc_crops(discs.images)
    benchmark = Faithfulness(steps=8, share=0.4)
    outcomes = run(benchmark, pair["clean"], crops, *benchmark.conditions(), range(24))
    assert set(outcomes.extra) == set(COLUMNS)
    picked = ~np.isnan(outcomes.extra["deletion_area"])
    assert 3 <= picked.sum() <= 16
    for column in COLUMNS[:4]:
        assert np.array_equal(~np.isnan(outcomes.extra[column]), picked)
    insertion = outcomes.extra["insertion_area"] - outcomes.extra["random_insertion_area"]
    assert np.nanmean(insertion) > 0, "the map knows better than chance which pixels to give back"
    assert np.nanmean(outcomes.extra["all_correlation"]) < 0.7, "the maps of a random network are others"
    alone = run(benchmark, pair["clean"], crops, *benchmark.conditions(), [5])
    for column in COLUMNS:
        assert alone.extra[column][0] == pytest.approx(outcomes.extra[column][5], abs=1e-4, nan_ok=True)


def test_a_recipe_is_the_crops_own(make_disc_crops, discs):
    crops, masks = make_disc_crops(discs.images)
    object.__setattr__(crops, "recipe", CropRecipe(24, 24, 1.0, "center", "bilinear"))
    shown = CamAudit(regions=masks).read(crops, [0], CamAudit().conditions()[0], seed=0)
    assert shown.side["objects"].shape == (1, 24, 24), "cropped as the images are said to be"
