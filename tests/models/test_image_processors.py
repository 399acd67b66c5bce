"""Image processors of transformers: their own pixels by a crop recipe, or a refusal that says what else they do."""

import numpy as np
import pytest
import torch
from little_models import photographs
from PIL import Image

from bench.errors import ConfigurationError
from bench.models.sources.image_processor import read_processor

tf = pytest.importorskip("transformers")

SQUARE = {"height": 64, "width": 64}
EDGE = {"shortest_edge": 72}
PROCESSORS = {
    "ViT": (tf.ViTImageProcessorPil, {"size": SQUARE}),
    "ViT of other sides": (tf.ViTImageProcessorPil, {"size": {"height": 48, "width": 80}, "resample": 3}),
    "CLIP": (tf.CLIPImageProcessorPil, {"size": EDGE, "crop_size": SQUARE}),
    "BiT": (tf.BitImageProcessorPil, {"size": EDGE, "crop_size": SQUARE, "resample": 2}),
    "DeiT": (tf.DeiTImageProcessorPil, {"size": {"height": 73, "width": 73}, "crop_size": SQUARE}),
    "ConvNeXT": (tf.ConvNextImageProcessorPil, {"size": {"shortest_edge": 64}, "crop_pct": 0.875}),
    "ConvNeXT that warps": (tf.ConvNextImageProcessorPil, {"size": {"shortest_edge": 384}}),
    "LeViT": (tf.LevitImageProcessorPil, {"size": {"shortest_edge": 64}, "crop_size": SQUARE}),
    "EfficientNet": (tf.EfficientNetImageProcessorPil, {"size": SQUARE, "do_center_crop": False}),
    "rescaled to [-1,1]": (
        tf.ViTImageProcessorPil,
        {"size": SQUARE, "rescale_factor": 1 / 127.5, "do_normalize": True},
    ),
    "not normalised": (tf.ViTImageProcessorPil, {"size": SQUARE, "do_normalize": False}),
    "not rescaled": (tf.ViTImageProcessorPil, {"size": SQUARE, "do_rescale": False, "do_normalize": False}),
}


@pytest.mark.parametrize("name", PROCESSORS)
def test_pixels_are_the_processors_own(name):
    make, settings = PROCESSORS[name]
    processor = make(**settings)
    preprocessing = read_processor(processor, name)
    mean, std = (np.array(values)[:, None, None] for values in (preprocessing.mean, preprocessing.std))
    for image in photographs(7):
        ours = (preprocessing.crop(image) / 255 - mean) / std
        theirs = processor(image, return_tensors="np")["pixel_values"][0]
        assert np.abs((ours - theirs) * std).max() < 1e-4, image.size


@pytest.mark.parametrize(
    ("processor", "reason"),
    [
        (tf.MobileViTImageProcessor(size=EDGE, crop_size=SQUARE), "it swaps red and blue"),
        (tf.ViTImageProcessor(size=SQUARE, do_resize=False), "returns|does something other|fails"),
    ],
    ids=["flipped", "not resized"],
)
def test_what_no_recipe_has_is_refused_with_the_reason(processor, reason):
    with pytest.raises(ConfigurationError, match=reason):
        read_processor(processor, "model hf:x")


def test_a_processor_that_does_more_is_seen_by_running_it():
    class Brighter(tf.ViTImageProcessor):
        """Its settings say nothing of it."""

        def __call__(self, image, **options):
            return super().__call__(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), **options)

    with pytest.raises(ConfigurationError, match="Brighter does something other than resize, crop and normalise"):
        read_processor(Brighter(size=SQUARE), "model hf:x")


def test_a_head_that_was_not_saved_is_refused(tmp_path):
    from bench.models import ModelConfig, check_model, load_classifier

    settings = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "image_size": 64,
    }
    network = tf.ViTModel(tf.ViTConfig(**settings))
    network.save_pretrained(tmp_path)
    tf.ViTImageProcessor(size=SQUARE).save_pretrained(tmp_path)
    with pytest.raises(ConfigurationError, match=r"no fitting weights for classifier\.bias.* saved without this head"):
        load_classifier(ModelConfig(name=f"hf:{tmp_path}"))
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(ConfigurationError, match="it has no image processor that can be read"):
        check_model(ModelConfig(name=f"hf:{tmp_path}/."))
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ConfigurationError, match="it has no weights"):
        check_model(ModelConfig(name=f"hf:{tmp_path}"))


def test_weights_saved_by_torch_are_read_without_running_them(tmp_path):
    from bench.models import ModelConfig, load_classifier

    settings = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "image_size": 64,
    }
    network = tf.ViTForImageClassification(tf.ViTConfig(**settings)).eval()
    network.config.save_pretrained(tmp_path)
    tf.ViTImageProcessor(size=SQUARE).save_pretrained(tmp_path)
    torch.save(network.state_dict(), tmp_path / "pytorch_model.bin")
    loaded = load_classifier(ModelConfig(name=f"hf:{tmp_path}"))
    assert torch.equal(loaded.network.classifier.weight, network.classifier.weight)
    assert not loaded.label_space.class_names, "LABEL_0 names nothing"
