"""The published protocol: every classifier is shown the pixels of the published steps, done here by hand."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from bench.benchmarks import Batch
from bench.benchmarks.corruption import Corruption
from bench.benchmarks.corruption_bar import CorruptionBar
from bench.benchmarks.protocol import CIFAR_10_C_CROP, IMAGENET_C_CROP
from bench.benchmarks.stability import Stability
from bench.corruptions.bar import corrupt_bar
from bench.corruptions.batched import corrupt
from bench.data import CropRecipe, DataConfig, load_dataset, open_crops
from bench.errors import ConfigurationError, DataError
from bench.records import Condition
from bench.seeding import derive_seed
from tests.corruptions.deterministic import DETERMINISTIC

OWN_224 = CropRecipe(224, 224, 0.875, "center", "bicubic")
OWN_260 = CropRecipe(260, 260, 0.89, "center", "bicubic")


@pytest.fixture(scope="module")
def samples():
    return load_dataset(DataConfig(name="samples", source="samples", limit=2))


@pytest.fixture
def open_at(samples, tmp_path):
    def open_crops_at(recipe):
        return open_crops(samples, recipe, cache_dir=tmp_path / "cache", cache_gb=1, workers=0, on_error="refuse")

    return open_crops_at


def batch_of(benchmark, crops, condition, input_size):
    images = benchmark.read(crops, range(len(crops)), condition, seed=0).images
    labels = torch.as_tensor(crops.labels)
    return Batch(images, labels, crops.image_ids, condition=condition, input_size=input_size)


def through_pillow(image, size):
    """``(3,H,W)`` uint8 saved at quality 85, read again, and resized to ``size`` where it has another."""
    file = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=85, optimize=True)
    read = Image.open(file).convert("RGB")
    return read if read.size == size[::-1] else read.resize(size[::-1], Image.Resampling.BICUBIC)


def by_hand(samples, condition, size, make):
    """The published steps on the encoded images: Resize(256), CenterCrop(224), corrupt, JPEG 85, the input's size."""
    base = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.PILToTensor()])
    shown = []
    for position, image_id in enumerate(samples.image_ids):
        image = base(Image.open(io.BytesIO(samples.read_bytes(position))).convert("RGB"))
        shown.append(np.array(through_pillow(make(image[None], [str(image_id)])[0], size)))
    return torch.from_numpy(np.stack(shown)).permute(0, 3, 1, 2)


@pytest.mark.parametrize("own", [OWN_224, OWN_260], ids=["224", "260"])
@pytest.mark.parametrize("name", [*DETERMINISTIC, "gaussian_noise", "snow"])
def test_every_classifier_is_shown_the_published_pixels(name, own, samples, open_at):
    benchmark, condition = Corruption().prepared(own, None), Condition(name, 3.0)
    assert benchmark.recipe(own) == IMAGENET_C_CROP
    size = (own.height, own.width)
    batch = batch_of(benchmark, open_at(benchmark.recipe(own)), condition, size)
    shown = benchmark.shown(batch, condition, seed=0)

    def make(images, image_ids):
        return corrupt(images, condition, [derive_seed(0, condition.key, name) for name in image_ids])

    assert torch.equal(shown, by_hand(samples, condition, size, make))


@pytest.mark.parametrize("own", [OWN_224, OWN_260], ids=["224", "260"])
def test_the_bar_corruptions_go_the_same_way(own, samples, open_at):
    benchmark, condition, size = CorruptionBar(), Condition("caustic_refraction", 2.0), (own.height, own.width)
    seen = []

    def spy(images):
        seen.append((images * 255).round().to(torch.uint8))
        return images.mean(dim=(2, 3)).repeat(1, 334)

    benchmark.run(spy, batch_of(benchmark, open_at(benchmark.recipe(own)), condition, size), condition, seed=0)

    def make(images, image_ids):
        return corrupt_bar(images, condition, [derive_seed(0, condition.key, name, bits=32) for name in image_ids])

    assert torch.equal(seen[0], by_hand(samples, condition, size, make))


def test_stability_frames_come_from_the_base_image_at_the_classifiers_size(open_at):
    benchmark, condition = Stability(), Condition("brightness", 1.0)
    assert benchmark.recipe(OWN_260) == IMAGENET_C_CROP
    shapes = set()

    def spy(images):
        shapes.add(tuple(images.shape[2:]))
        return images.mean(dim=(2, 3)).repeat(1, 334)

    benchmark.run(spy, batch_of(benchmark, open_at(IMAGENET_C_CROP), condition, (260, 260)), condition, seed=0)
    assert shapes == {(260, 260)}


def test_native_shows_each_classifiers_own_crop_and_encodes_only_when_asked(open_at):
    condition = Condition("contrast", 2.0)
    crops = open_at(OWN_260)
    plain, encoded = Corruption(protocol="native"), Corruption(protocol="native", encode="jpeg85")
    assert plain.recipe(OWN_260) == OWN_260
    batch = batch_of(plain, crops, condition, (260, 260))
    made = corrupt(crops.read(range(2)), condition, [0, 0])  # contrast draws nothing
    assert torch.equal(plain.shown(batch, condition, seed=0), made)
    expected = torch.stack([transforms.PILToTensor()(through_pillow(image, (260, 260))) for image in made])
    assert torch.equal(encoded.shown(batch, condition, seed=0), expected)


def test_the_protocol_is_in_the_identity():
    published, native = Corruption().parameters(), Corruption(protocol="native").parameters()
    assert (published["protocol"], published["encode"]) == ("published", "jpeg85")
    assert (native["protocol"], native["encode"]) == ("native", "none")
    assert CorruptionBar().parameters() == {"protocol": "published", "encode": "jpeg85"}
    assert Stability().parameters() == {"protocol": "published"}


def test_small_classifiers_are_shown_cifar_10_c_unless_told_otherwise():
    small = CropRecipe(32, 32, 1.0, "center", "bicubic")
    benchmark = Corruption().prepared(small, None)
    assert benchmark.parameters()["definition"] == "cifar10_c"
    assert benchmark.parameters()["encode"] == "none", "its script writes no JPEG"
    assert benchmark.recipe(small) == CIFAR_10_C_CROP
    assert Corruption().prepared(OWN_224, None).parameters()["definition"] == "imagenet_c"
    assert Corruption(definition="imagenet_c").prepared(small, None).recipe(small) == IMAGENET_C_CROP


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol": "publishd"}, "did you mean 'published'"),
        ({"protocol": "native", "encode": "jpeg"}, "did you mean 'jpeg85'"),
        ({"encode": "none"}, "needs protocol=native"),
        ({"source": "files", "protocol": "native"}, "needs protocol=published"),
        ({"source": "reference", "definition": "imagenet_c"}, "needs definition=imagecorruptions"),
        ({"manifest": "all"}, "unknown manifest"),
    ],
)
def test_choices_that_contradict_each_other_are_refused(changes, message):
    with pytest.raises(ConfigurationError, match=message):
        Corruption(**changes)


@pytest.mark.parametrize("benchmark", [Corruption(source="reference"), Corruption(), CorruptionBar()])
def test_images_that_were_not_read_for_the_condition_are_refused(benchmark, open_at):
    condition = benchmark.conditions()[3]
    batch = batch_of(benchmark, open_at(IMAGENET_C_CROP), condition, (224, 224))
    for other in (None, benchmark.conditions()[4]):
        with pytest.raises(DataError, match="pass what read returned"):
            benchmark.run(lambda images: images, replace(batch, condition=other), condition, seed=0)
