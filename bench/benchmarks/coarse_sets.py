"""Sets of coarser classes than ImageNet's, each made of several: ObjectNet, ImageNet-9, ImageNet-D, LAION-C."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.benchmarks.metric import HIGHER, LOWER, Measured, Metric
from bench.benchmarks.shifted_set import (
    ShiftedSet,
    accuracy_metrics,
    correct_by_variant,
    mean_over_variants,
    variant_metric,
    weighted,
)
from bench.data import CropRecipe
from bench.errors import DataError

OBJECTNET_BORDER = 2
"""Red pixels around every image of ObjectNet, which tell it from training images."""
SAME, RANDOM = "mixed_same", "mixed_rand"


@dataclass(frozen=True, kw_only=True)
class ObjectNet(ShiftedSet):
    """ObjectNet: everyday objects in unusual poses and places; the 113 classes that ImageNet has, and their columns."""

    name = "objectnet"
    metrics = accuracy_metrics(name, "ObjectNet")
    citation = "Barbu et al., ObjectNet, NeurIPS 2019"

    def recipe(self, crop: CropRecipe) -> CropRecipe:
        """The classifier's own, once the red border is cut off."""
        return replace(crop, border=OBJECTNET_BORDER)


def _background_gap(measured: Measured) -> NDArray[np.float64]:
    """``(N,)`` values whose mean is the accuracy on mixed_same minus that on mixed_rand."""
    found = correct_by_variant(measured)
    missing = [name for name in (SAME, RANDOM) if name not in found]
    if missing:
        raise DataError(f"{measured.spec.dataset} has no images in a folder {missing[0]}")
    return weighted([(found[SAME], 1.0), (found[RANDOM], -1.0)])


@dataclass(frozen=True, kw_only=True)
class ImageNet9(ShiftedSet):
    """ImageNet-9: foregrounds on their own, another image's or no background.

    BG-gap is the accuracy on backgrounds of the same class minus that on backgrounds of random classes.
    """

    name = "imagenet_9"
    metrics = (
        variant_metric("imagenet_9_original_accuracy", "IN-9 original", "original"),
        variant_metric("imagenet_9_mixed_same_accuracy", "IN-9 mixed-same", SAME),
        variant_metric("imagenet_9_mixed_rand_accuracy", "IN-9 mixed-rand", RANDOM),
        Metric("imagenet_9_background_gap", "IN-9 BG-gap", LOWER, _background_gap),
    )
    citation = "Xiao et al., Noise or Signal: The Role of Image Backgrounds in Object Recognition, ICLR 2021"

    def recipe(self, crop: CropRecipe) -> CropRecipe:
        """The published images whole: they are crops of 224 pixels already."""
        return replace(crop, crop_pct=1.0)


@dataclass(frozen=True, kw_only=True)
class ImageNetD(ShiftedSet):
    """ImageNet-D: objects on backgrounds, with textures and of materials that a diffusion model made."""

    name = "imagenet_d"
    metrics = (
        *accuracy_metrics(name, "ImageNet-D", top5=False),
        variant_metric("imagenet_d_background_accuracy", "IN-D background", "background"),
        variant_metric("imagenet_d_texture_accuracy", "IN-D texture", "texture"),
        variant_metric("imagenet_d_material_accuracy", "IN-D material", "material"),
    )
    citation = "Zhang et al., ImageNet-D, CVPR 2024"


@dataclass(frozen=True, kw_only=True)
class LaionC(ShiftedSet):
    """LAION-C: six distortions that web-scale training sets do not have, at five intensities, of 16 superclasses.

    The figure is the mean over distortions and intensities.
    """

    name = "laion_c"
    metrics = (Metric("laion_c_accuracy", "LAION-C", HIGHER, mean_over_variants, under_shift=True),)
    citation = "Li et al., LAION-C: An Out-of-Distribution Benchmark for Web-Scale Vision Models, ICML 2025"

    def recipe(self, crop: CropRecipe) -> CropRecipe:
        """The whole image, squeezed into the classifier's input, as published."""
        return replace(crop, crop_pct=1.0, crop_mode="squash", fill=None)
