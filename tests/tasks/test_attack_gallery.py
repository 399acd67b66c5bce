"""``task=attack_gallery`` draws clean image, perturbation times ten and attacked image of the outcomes in the store."""

import hydra
import numpy as np
import pytest
import torch
from PIL import Image

from bench.attacks import AttackResult
from bench.benchmarks import Batch
from bench.cli.schemas import register_schemas
from bench.conf_files import CONF
from bench.data import DataConfig
from bench.errors import ConfigurationError, DataError
from bench.models import ModelConfig, load_classifier
from bench.reports.galleries.attacks import GAP, LINES, SIDE, TOP, Attacked, draw_gallery, first_correct
from bench.reports.galleries.files import gallery_path
from bench.sweep import RuntimeConfig
from bench.sweep.images import open_images
from bench.tasks import attack_gallery

RED, GREEN = (0xB0, 0x30, 0x00), (0x00, 0x60, 0x40)


def compose(*overrides):
    register_schemas()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("config", overrides=["task=attack_gallery", *overrides])


def tile(sheet, row, column):
    """The picture in a row and column, and the caption below it."""
    top, left = TOP + row * (SIDE + LINES + GAP), GAP + column * (SIDE + GAP)
    below = sheet[top + SIDE : top + SIDE + LINES, left : left + SIDE]
    return sheet[top : top + SIDE, left : left + SIDE].astype(int), below


def has(caption, colour):
    return bool((caption == colour).all(axis=2).any())


def test_pictures_are_where_they_belong_and_captions_have_the_colour_of_the_outcome():
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (2, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)
    batch = Batch(pixels, torch.tensor([0, 1]), np.array(["a", "b"]))
    clean = pixels.float() / 255
    noise = (torch.rand(2, 3, SIDE, SIDE, generator=generator) - 0.5) * 0.2
    found = [(clean + noise).clamp(0, 1), clean.clone()]
    results = [
        AttackResult(
            adversarials=adversarials,
            prediction=np.array([1, 1]),
            confidence=np.array([0.9, 0.8], np.float32),
            distance=np.array([0.1, 0.1]),
            success=np.array(success),
            queries=np.array([1, 1]),
            zero_gradient=np.zeros(2, np.float32),
            stage=np.array(["x", ""]),
            clean_prediction=np.array([0, 1]),
            norm="linf",
            epsilon=0.1,
        )
        for adversarials, success in zip(found, [[True, False], [False, True]], strict=True)
    ]
    attacked = [Attacked(title, result) for title, result in zip(["one", "other"], results, strict=True)]
    sheet = np.asarray(draw_gallery(batch, [0.7, 0.6], attacked, ["cat", "dog"]))
    assert sheet.shape == (TOP + 2 * (SIDE + LINES + GAP), GAP + 5 * (SIDE + GAP), 3)
    for row in range(2):
        original = pixels[row].permute(1, 2, 0).numpy().astype(int)
        assert np.array_equal(tile(sheet, row, 0)[0], original)
        for place, result in enumerate(results):
            changed = result.adversarials[row].permute(1, 2, 0).double().numpy()
            perturbation = (0.5 + 10 * (changed - original / 255)).clip(0, 1) * 255
            shown, below = tile(sheet, row, 1 + 2 * place)
            assert np.abs(shown - perturbation).max() < 0.6
            image, caption = tile(sheet, row, 2 + 2 * place)
            assert np.abs(image - changed * 255).max() < 0.6
            colour, other = (RED, GREEN) if result.success[row] else (GREEN, RED)
            assert has(below, colour)
            assert has(caption, colour)
            assert not has(below, other)
            assert not has(caption, other)


def test_small_images_are_enlarged_without_smoothing():
    pixels = torch.tensor([[0, 255], [128, 64]], dtype=torch.uint8).expand(1, 3, 2, 2)
    sheet = np.asarray(draw_gallery(Batch(pixels, torch.tensor([0]), np.array(["a"])), [1.0], [], ["cat"]))
    half = SIDE // 2
    expected = np.kron([[0, 255], [128, 64]], np.ones((half, half), int))
    assert np.array_equal(tile(sheet, 0, 0)[0], np.stack([expected] * 3, axis=2))


def test_the_file_shows_the_attack_of_the_suite_on_the_first_image_that_is_right(tmp_path):
    """FGSM is one line: the image plus epsilon times the sign of the loss's gradient."""
    cache, epsilon = f"{tmp_path}/cache", 2 / 255
    places = ["name=mine", f"reports={tmp_path}", f"store={tmp_path}/store", f"runtime.cache_dir={cache}"]
    config = compose(*places, "model=lite0", "benchmark=fgsm", "benchmark.epsilons=[0,1/255,2/255]", "images=1")
    attack_gallery.check(config)
    attack_gallery.run(config)
    classifier = load_classifier(ModelConfig(name="lite0"))
    crops = open_images(
        DataConfig(name="samples", source="samples"),
        classifier.crop,
        RuntimeConfig(cache_dir=cache),
        classifier.label_space,
    )
    path = gallery_path(tmp_path / "mine", classifier.weights_digest, crops.digest, defense="")
    sheet = np.asarray(Image.open(path))
    images, labels = crops.read(range(len(crops))).float() / 255, torch.as_tensor(crops.labels)
    right = next(i for i in range(len(crops)) if classifier(images[i : i + 1]).argmax() == labels[i])
    image = images[right : right + 1].requires_grad_()
    loss = torch.nn.functional.cross_entropy(classifier(image), labels[right : right + 1])
    attacked = (image + epsilon * torch.autograd.grad(loss, image)[0].sign()).clamp(0, 1).detach()
    for column, pixels in enumerate([image.detach(), 0.5 + 10 * (attacked - image.detach()), attacked]):
        values = (pixels[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
        expected = Image.fromarray(values).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        # where the gradient is all but zero, the folded network's sign may be the other one
        assert np.abs(tile(sheet, 0, column)[0] - np.asarray(expected).astype(int)).mean() < 0.1


def test_there_is_nothing_to_attack_where_every_image_is_wrong():
    with pytest.raises(DataError, match="none of the first 2 images is classified correctly"):
        first_correct(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), np.array([1, 0]), 4)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [(["benchmark=fgsm", "images=0"], "at least one"), (["benchmark=clean"], "none of clean is an attack")],
)
def test_what_has_nothing_to_show_is_refused(overrides, message):
    with pytest.raises(ConfigurationError, match=message):
        attack_gallery.check(compose(*overrides))
