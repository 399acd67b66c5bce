"""Images from tensors and torch data sets reach the classifier as they were given."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import TensorDataset
from torchvision.datasets import ImageFolder

from bench.data import LabelSpace, open_crops
from bench.data.label_spaces import unnamed_classes
from bench.errors import ConfigurationError, DataError
from bench.library.images import as_images, to_bytes
from bench.library.presets import preset_suite
from bench.models import ModelConfig, load_classifier

SPACE = unnamed_classes(4)


def crops_of(images, tmp_path, size, space=SPACE):
    own = load_classifier(ModelConfig(name="resnet10t", weights="random", num_classes=4)).crop
    recipe = images.crop(replace(own, height=size, width=size))
    return open_crops(images.labelled_for(space), recipe, cache_dir=tmp_path, cache_gb=1, workers=0, on_error="refuse")


def test_tensors_of_the_input_size_are_shown_byte_for_byte(tmp_path):
    pixels = torch.randint(0, 256, (10, 3, 24, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(10) % 4
    for given in (pixels, pixels.float() / 255, (pixels.double() / 255).numpy(), pixels.numpy()):
        crops = crops_of(as_images((given, labels)), tmp_path, 24)
        assert torch.equal(crops.read(range(10)), pixels)
        assert crops.labels.tolist() == labels.tolist()


def test_a_torch_data_set_of_tensors_is_the_same_as_the_tensors(tmp_path):
    pixels = torch.randint(0, 256, (10, 3, 24, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    items = TensorDataset(pixels.float() / 255, torch.arange(10) % 4)
    crops = crops_of(as_images(items), tmp_path, 24)
    assert torch.equal(crops.read(range(10)), pixels)
    assert crops.name == "TensorDataset"


def test_other_pixels_or_labels_are_other_images():
    pixels = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    changed = pixels.clone()
    changed[3, 2, 7, 7] = 1
    first = as_images((pixels, torch.arange(4))).source.fingerprint
    assert first == as_images((pixels.clone(), torch.arange(4))).source.fingerprint
    assert first != as_images((changed, torch.arange(4))).source.fingerprint
    assert first != as_images((pixels, torch.arange(4).flip(0))).source.fingerprint


def test_the_class_names_of_an_image_folder_are_matched_by_name(tmp_path):
    for name, level in (("wolf", 10), ("cat", 200)):
        (tmp_path / "set" / name).mkdir(parents=True)
        Image.new("RGB", (30, 24), (level, level, level)).save(tmp_path / "set" / name / "one.png")
    images = as_images(ImageFolder(tmp_path / "set"))
    space = LabelSpace("animals", 4, ("dog", "wolf", "cat", "fox"))
    assert images.size is None
    assert images.labelled_for(space).labels.tolist() == [2, 1]  # the folder's order is cat, wolf
    assert images.labelled_for(SPACE).labels.tolist() == [0, 1]  # a network without names has the folder's order
    with pytest.raises(ConfigurationError, match=r"class 'wolf'.*not among"):
        images.labelled_for(LabelSpace("others", 2, ("cat", "dog")))


def test_a_limit_keeps_as_many_of_each_class(tmp_path):
    pixels = torch.zeros(12, 3, 8, 8, dtype=torch.uint8)
    limited = as_images((pixels, torch.arange(12) // 9), limit=4).source
    assert np.bincount(limited.labels).tolist() == [2, 2]
    with pytest.raises(ConfigurationError, match="limit=13 is more than the 12"):
        as_images((pixels, torch.arange(12) % 3), limit=13)


@pytest.mark.parametrize(
    ("pixels", "labels", "words"),
    [
        (torch.zeros(2, 3, 8), torch.arange(2), r"of shape \(N,3,H,W\)"),
        (torch.zeros(0, 3, 8, 8), torch.arange(0), r"of shape \(N,3,H,W\)"),
        (torch.zeros(2, 8, 8, 3), torch.arange(2), r"not \(2, 8, 8, 3\)"),
        (torch.randn(2, 3, 8, 8), torch.arange(2), "before normalisation"),
        (torch.full((2, 3, 8, 8), torch.nan), torch.arange(2), "before normalisation"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.int64), torch.arange(2), "not torch.int64"),
        (torch.zeros(2, 3, 8, 8), torch.arange(3), "2 whole numbers, one for each image"),
        (torch.zeros(2, 3, 8, 8), torch.zeros(2), "whole numbers"),
        (torch.zeros(2, 3, 8, 8), torch.tensor([0, -1]), "label -1 is below 0"),
    ],
)
def test_tensors_that_are_no_labelled_images_are_refused(pixels, labels, words):
    with pytest.raises(DataError, match=words):
        as_images((pixels, labels))


def test_a_label_without_a_logit_is_refused():
    images = as_images((torch.zeros(2, 3, 8, 8), torch.tensor([0, 4])))
    with pytest.raises(ConfigurationError, match="has the number 4"):
        images.labelled_for(SPACE)


def test_other_things_are_no_images():
    with pytest.raises(ConfigurationError, match="neither a folder, a file nor a data name"):
        as_images("/no/such/folder")
    with pytest.raises(ConfigurationError, match="not a int"):
        as_images(7)
    with pytest.raises(DataError, match="item 0 of the data set is not an image and its label"):
        as_images([1, 2, 3])


def test_floats_between_two_levels_are_rounded_and_said(caplog):
    assert to_bytes(torch.full((1, 3, 2, 2), 0.5)).unique().tolist() == [128]
    assert "rounded to 8 bits" in caplog.text


def test_grey_images_have_three_equal_channels():
    grey = torch.randint(0, 256, (2, 1, 4, 4), dtype=torch.uint8)
    assert torch.equal(to_bytes(grey), grey.expand(2, 3, 4, 4))


def test_suites_bring_their_own_images():
    own = preset_suite("quickstart")["cue_conflict"].data
    assert own is not None
    assert own.source == "cue_conflict_samples"
