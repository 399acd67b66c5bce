"""Every published shift set in its own layout, on real photographs: outcomes against the rules applied by hand."""

import json

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

import bench
from bench.benchmarks.corruptions_3d import CORRUPTIONS_3D
from bench.data.label_spaces import KNOWN_SPACES
from bench.errors import ConfigurationError
from bench.metrics.corruption import ALEXNET_ERROR_3D, mean_corruption_error_values
from tests.benchmarks import shift_sets as sets

NUMBERS = np.array(sets.NUMBERS)
A, R = (np.array(KNOWN_SPACES[name].subset()) for name in ("imagenet_a", "imagenet_r"))
IN_A, IN_R = np.isin(NUMBERS, A), np.isin(NUMBERS, R)


@pytest.fixture(scope="module")
def lite0():
    return bench.load("lite0")


def logits_of(classifier, images):
    """The plain pipeline: Pillow images, timm's evaluation transform, one forward pass."""
    from timm.data import create_transform

    transform = create_transform(
        input_size=(3, 224, 224),
        crop_pct=classifier.crop.crop_pct,
        interpolation=classifier.crop.interpolation,
        mean=(0, 0, 0),
        std=(1, 1, 1),
    )
    with torch.no_grad():
        return classifier(torch.stack([transform(image.convert("RGB")) for image in images])).numpy()


@pytest.fixture(scope="module")
def logits(lite0):
    """``(20,1000)`` of the photographs."""
    return logits_of(lite0, [Image.open(path) for path in sets.SAMPLES])


@pytest.fixture(scope="module")
def main(tmp_path_factory):
    """The main images: the photographs in wnid folders."""
    root = tmp_path_factory.mktemp("main")
    sets.by_wnid(root, "val")
    return root / "val"


@pytest.fixture(scope="module")
def results(tmp_path_factory, lite0, main):
    """One sweep over every set that can be laid out."""
    pytest.importorskip("datasets")
    root = tmp_path_factory.mktemp("shifts")
    sets.v2(root)
    sets.by_wnid(root, "sketch")
    sets.by_wnid(root, "imagenet-a", A)
    sets.by_wnid(root, "imagenet-r", R)
    sets.objectnet(root)
    sets.imagenet_9(root)
    sets.imagenet_d(root)
    sets.laion_c(root)
    sets.imagenet_hard(root)
    folder = tmp_path_factory.mktemp("run")
    return bench.evaluate(
        lite0,
        str(main),
        suite="natural_shift",
        shifts=str(root),
        store=str(folder / "store"),
        cache_dir=str(folder / "crops"),
        threads=1,
        workers=0,
    )


@pytest.fixture(scope="module")
def board(results):
    return results.leaderboard().iloc[0]


def outcomes(results, name):
    return results.outcomes(name).set_index("image_id")


def top5(logits, right):
    return np.array([bool(set(np.argsort(-row)[:5]) & set(own)) for row, own in zip(logits, right, strict=True)])


def test_v2s_folders_are_class_numbers_and_not_places_in_the_order_of_text(results, board, logits):
    rows = outcomes(results, "imagenet_v2")
    for path, number, row in zip(sets.SAMPLES, NUMBERS, logits, strict=True):
        stored = rows.loc[f"{number}/{path.name}"]
        assert (stored["label"], stored["prediction"]) == (number, row.argmax())
    assert board["imagenet_v2_accuracy"] == np.mean(logits.argmax(1) == NUMBERS)
    assert board["imagenet_v2_top5_accuracy"] == np.mean(top5(logits, NUMBERS[:, None]))
    assert board["imagenet_v2_images"] == len(NUMBERS)


def test_sketch_is_decided_on_among_all_classes(board, logits):
    assert board["imagenet_sketch_accuracy"] == np.mean(logits.argmax(1) == NUMBERS)


@pytest.mark.parametrize(("name", "subset", "chosen"), [("imagenet_a", A, IN_A), ("imagenet_r", R, IN_R)])
def test_a_and_r_are_decided_on_among_their_200_classes_as_is_the_clean_set_beside_them(
    results, board, logits, name, subset, chosen
):
    among = subset[logits[chosen][:, subset].argmax(1)]
    rows = outcomes(results, name)
    assert rows["prediction"].tolist() == among[np.argsort(_ids(chosen))].tolist()
    assert board[f"{name}_accuracy"] == np.mean(among == NUMBERS[chosen])
    five = np.take(subset, np.argsort(-logits[chosen][:, subset], axis=1)[:, :5])
    assert board[f"{name}_top5_accuracy"] == np.mean((five == NUMBERS[chosen][:, None]).any(1))
    assert board[f"{name}_clean_accuracy"] == board[f"{name}_accuracy"], "here they are the same photographs"
    assert board[f"{name}_clean_images"] == chosen.sum() < len(NUMBERS)
    unrestricted = logits[chosen].argmax(1)
    assert set(among) <= set(subset)
    assert set(unrestricted) - set(subset) or name == "imagenet_r"


def _ids(chosen):
    return np.array([f"{sets.WNIDS[n]}/{p.name}" for p, n in zip(sets.SAMPLES, NUMBERS, strict=True)])[chosen]


def test_objectnet_is_shown_without_its_border_and_decided_on_among_the_mapped_columns(results, board, lite0):
    rows = outcomes(results, "objectnet")
    groups = dict(sorted((folder, numbers) for folder, (_, numbers) in sets.OBJECTNET.items()))
    columns = [number for numbers in groups.values() for number in numbers]
    right = []
    for place, (folder, numbers) in enumerate(groups.items()):
        for path in sets.of_classes(numbers):
            row = logits_of(lite0, [Image.open(path)])[0]  # what is left of the PNG without its two pixels
            best = max(columns, key=row.__getitem__)
            stored = rows.loc[f"{folder}/{path.stem}.png"]
            expected = next(number for number, own in enumerate(groups.values()) if best in own)
            assert (stored["label"], stored["prediction"]) == (place, expected)
            right.append(expected == place)
    assert len(rows) == len(right), "the folder that ImageNet does not have is left out"
    assert board["objectnet_accuracy"] == np.mean(right)


def test_a_border_would_be_seen(lite0):
    image = Image.open(sets.SAMPLES[0]).convert("RGB")
    framed = ImageOps.expand(image, 2, "red")
    recipe = lite0.crop
    with_border, without = recipe(framed), recipe(image)
    cut = type(recipe)(**{**recipe.__dict__, "border": 2})
    assert np.array_equal(cut(framed), without)
    assert not np.array_equal(with_border, without)
    assert cut.key == f"{recipe.key}-without2"


def whole(classifier, path):
    """Shown whole, as the published crops of ImageNet-9 are."""
    crop = type(classifier.crop)(**{**classifier.crop.__dict__, "crop_pct": 1.0})
    with torch.no_grad():
        return classifier(torch.from_numpy(crop(Image.open(path)))[None].float() / 255)[0].numpy()


def test_imagenet_9_maps_the_argmax_of_all_classes_and_compares_its_backgrounds(results, board, lite0):
    mapping = {number: int(folder[:2]) for folder, numbers in sets.IN9.items() for number in numbers}
    rows = outcomes(results, "imagenet_9")
    right = {}
    for image_id, stored in rows.iterrows():
        variant, _, folder, name = image_id.split("/")
        expected = mapping.get(int(whole(lite0, sets.SAMPLES[0].parent / name).argmax()), -1)
        assert (stored["label"], stored["prediction"]) == (int(folder[:2]), expected)
        right.setdefault(variant, []).append(expected == int(folder[:2]))
    same, random = np.mean(right["mixed_same"]), np.mean(right["mixed_rand"])
    assert board["imagenet_9_original_accuracy"] == np.mean(right["original"])
    assert board["imagenet_9_mixed_same_accuracy"] == same
    assert board["imagenet_9_mixed_rand_accuracy"] == random
    assert board["imagenet_9_background_gap"] == pytest.approx(same - random)
    assert len(right["mixed_rand"]) < len(right["mixed_same"])


def test_imagenet_d_maps_the_argmax_to_its_categories(results, board, logits):
    by_number = dict(zip(NUMBERS.tolist(), logits, strict=True))
    groups = json.loads((sets.Path(bench.__file__).parent / "data" / "class_groups.json").read_text())["imagenet_d"]
    right = {
        category: int(by_number[number].argmax()) in groups[category] for category, number in sets.IMAGENET_D.items()
    }
    rows = outcomes(results, "imagenet_d")
    assert len(rows) == 9, "the tables of questions are no images"
    for image_id, stored in rows.iterrows():
        assert stored["correct"] == right[image_id.split("/")[1]]
    expected = np.mean(list(right.values()))
    for column in ("accuracy", "background_accuracy", "texture_accuracy", "material_accuracy"):
        assert board[f"imagenet_d_{column}"] == pytest.approx(expected)


def test_laion_c_takes_the_largest_mean_probability_of_285_classes(results, board, lite0):
    groups = json.loads((sets.Path(bench.__file__).parent / "data" / "class_groups.json").read_text())["laion_c"]
    names = sorted(groups)
    squash = type(lite0.crop)(**{**lite0.crop.__dict__, "crop_pct": 1.0, "crop_mode": "squash"})
    by_part = {}
    for image_id, stored in outcomes(results, "laion_c").iterrows():
        distortion, level, folder, name = image_id.split("/")
        pixels = torch.from_numpy(squash(Image.open(sets.SAMPLES[0].parent / name)))[None].float() / 255
        with torch.no_grad():
            probabilities = lite0(pixels)[0].softmax(0).numpy()
        expected = max(names, key=lambda group: probabilities[groups[group]].mean())
        assert names[stored["prediction"]] == expected
        by_part.setdefault((distortion, level), []).append(expected == folder)
    assert len(by_part) == 4
    assert board["laion_c_accuracy"] == pytest.approx(np.mean([np.mean(part) for part in by_part.values()]))


def test_an_image_with_several_right_classes_counts_for_each(results, board, logits):
    right = [[3, number] if place % 2 else [number] for place, number in enumerate(NUMBERS[:8].tolist())]
    hits = [int(row.argmax()) in own for row, own in zip(logits[:8], right, strict=True)]
    assert board["imagenet_hard_accuracy"] == np.mean(hits)
    assert board["imagenet_hard_top5_accuracy"] == np.mean(top5(logits[:8], right))
    rows = results.outcomes("imagenet_hard")
    for own, stored in zip(right, rows.to_dict("records"), strict=True):
        assert stored["label"] == (stored["prediction"] if stored["prediction"] in own else own[0])


def test_sets_that_are_not_there_are_left_out_and_named(results, caplog, tmp_path, lite0, main):
    ran = set(results.outcomes("clean")["benchmark"]) | {cell.spec.benchmark for cell in results.store.cells()}
    assert "imagenet_v2_threshold" not in ran
    assert "imagenet_3dcc" not in ran
    sets.by_wnid(tmp_path, "IMAGENET-R", R)
    caplog.set_level("INFO")
    with pytest.raises(ConfigurationError, match=r"give shifts\.root=FOLDER"):
        bench.evaluate(lite0, str(main), suite="natural_shift")
    with pytest.raises(ConfigurationError, match="has none of the sets: their folders are called imagenetv2-matched"):
        bench.evaluate(lite0, str(main), suite="natural_shift", shifts=str(main))
    settings = {"threads": 1, "workers": 0, "cache_dir": str(tmp_path / "crops")}
    again = bench.evaluate(lite0, str(main), suite="natural_shift", shifts=str(tmp_path), **settings)
    assert f"image sets found: imagenet_r ({tmp_path}/IMAGENET-R); not found: imagenet_v2, " in caplog.text
    assert "imagenet_a_clean" in caplog.text.partition("not found:")[2], "there is nothing to compare it with"
    assert {"imagenet_r", "imagenet_r_clean", "clean"} <= {cell.spec.benchmark for cell in again.store.cells()}


def test_a_set_can_be_the_main_images_too(lite0, tmp_path):
    sets.by_wnid(tmp_path, "anything", A)
    settings = {"threads": 1, "workers": 0, "cache_dir": str(tmp_path / "crops")}
    results = bench.evaluate(lite0, str(tmp_path / "anything"), "imagenet_a", **settings)
    assert set(results.outcomes("imagenet_a")["prediction"]) <= set(A.tolist())


def test_attacks_are_refused_on_images_with_several_right_classes(tmp_path, lite0):
    pytest.importorskip("datasets")
    sets.imagenet_hard(tmp_path)
    data = bench.data.DataConfig(source="huggingface", root=str(tmp_path / "imagenet-hard"), label_space="imagenet")
    with pytest.raises(bench.IncompleteError, match="several right classes each, and attacks are defined for one"):
        bench.evaluate(lite0, data, "fgsm", threads=1, workers=0, cache_dir=str(tmp_path / "crops"))


def test_3dcc_is_read_from_its_folders_and_divided_by_its_own_alexnet(tmp_path, lite0):
    names = [path.name for path in (sets.SAMPLES[0], sets.SAMPLES[14])]
    for path in (sets.SAMPLES[0], sets.SAMPLES[14]):
        sets.copy(path, tmp_path / "val" / sets.WNIDS[int(path.stem.split("_")[2])])
    sets.imagenet_3dcc(tmp_path, names, CORRUPTIONS_3D)
    benchmark = bench.benchmark("imagenet_3dcc", root=str(tmp_path / "ImageNet-3DCC"))
    settings = {"threads": 1, "workers": 0, "cache_dir": str(tmp_path / "crops")}
    results = bench.evaluate(lite0, str(tmp_path / "val"), [benchmark], **settings)
    rows = results.outcomes("imagenet_3dcc")
    assert len(rows) == 12 * 5 * 2
    file = tmp_path / "ImageNet-3DCC" / "fog_3d" / "4" / sets.WNIDS[243] / "imagenet_00_243.JPEG"
    pixels = torch.from_numpy(np.asarray(Image.open(file)).transpose(2, 0, 1).copy())[None].float() / 255
    with torch.no_grad():
        expected = int(lite0(pixels).argmax())
    chosen = rows[(rows["condition"] == "fog_3d") & (rows["strength"] == 4) & (rows["label"] == 243)]
    assert chosen["prediction"].tolist() == [expected]
    errors = rows.groupby("condition")["correct"].apply(lambda correct: 1 - correct.mean())
    mce = 100 * np.mean([errors[name] / ALEXNET_ERROR_3D[name] for name in CORRUPTIONS_3D])
    assert results.leaderboard().iloc[0]["mean_corruption_error_3d"] == pytest.approx(mce)
    (tmp_path / "ImageNet-3DCC" / "fog_3d" / "5").rename(tmp_path / "gone")
    with pytest.raises(ConfigurationError, match=r"lacks fog_3d/5"):
        bench.evaluate(lite0, str(tmp_path / "val"), [benchmark], **settings)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("model", "mce", "accuracy"), [("Standard_R50", 73.16, 47.12), ("Hendrycks2020Many", 60.69, 56.51)]
)
def test_3dccs_published_figures_come_out_of_its_published_accuracies(shared_data, model, mce, accuracy):
    import pandas as pd

    path = shared_data / "published" / "robustbench" / "imagenet" / "corruptions" / "unaggregated_results_3d.csv"
    table = pd.read_csv(path, header=[0, 1], index_col=0)
    n = 5000
    errors = {(name, int(level)): np.arange(n) >= round(value * n) for (name, level), value in table.loc[model].items()}
    values = mean_corruption_error_values(errors, ALEXNET_ERROR_3D, CORRUPTIONS_3D)
    assert round(values.mean(), 2) == mce
    assert round(100 * table.loc[model].mean(), 2) == accuracy


def test_imagenet_w_puts_the_packages_own_watermark_on_every_crop(tmp_path, lite0, main):
    imagenet_w = pytest.importorskip("imagenet_w")
    settings = {"threads": 1, "workers": 0, "cache_dir": str(tmp_path / "crops")}
    results = bench.evaluate(lite0, str(main), ["clean", "imagenet_w"], **settings)
    mark = imagenet_w.AddWatermark(224)
    marked = [mark(Image.fromarray(lite0.crop(Image.open(path)).transpose(1, 2, 0))) for path in sets.SAMPLES]
    pixels = torch.stack([torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy()) for image in marked])
    with torch.no_grad():
        expected = lite0(pixels.float() / 255).argmax(1).numpy()
    rows = outcomes(results, "imagenet_w")
    assert rows["prediction"].tolist() == expected[np.argsort(_ids(np.ones(20, bool)))].tolist()
    board = results.leaderboard().iloc[0]
    assert board["imagenet_w_accuracy"] == np.mean(expected == NUMBERS)
    assert board["imagenet_w_gap"] == pytest.approx(board["clean_accuracy"] - board["imagenet_w_accuracy"])
    assert np.isnan(board["imagenet_w_carton_gap"])
