"""Natural distribution shifts of ImageNet: V2, Sketch, -A, -R and ImageNet-Hard, each on a set of its own."""

from dataclasses import dataclass, replace

from bench.benchmarks.shifted_set import ShiftedSet, accuracy_metrics
from bench.configs import DataConfig

RECHT = "Recht et al., Do ImageNet Classifiers Generalize to ImageNet?, ICML 2019"
HENDRYCKS_A = "Hendrycks et al., Natural Adversarial Examples, CVPR 2021"
HENDRYCKS_R = "Hendrycks et al., The Many Faces of Robustness, ICCV 2021"


@dataclass(frozen=True, kw_only=True)
class ImageNetV2(ShiftedSet):
    """ImageNet-V2, matched frequency: 10,000 images collected as the validation set was, ten years later."""

    name = "imagenet_v2"
    metrics = accuracy_metrics(name, "ImageNet-V2")
    citation = RECHT


@dataclass(frozen=True, kw_only=True)
class ImageNetV2Threshold(ShiftedSet):
    """ImageNet-V2, threshold 0.7: of images that at least 70 % of people chose for the class."""

    name = "imagenet_v2_threshold"
    metrics = accuracy_metrics(name, "V2 threshold 0.7")
    citation = RECHT


@dataclass(frozen=True, kw_only=True)
class ImageNetV2TopImages(ShiftedSet):
    """ImageNet-V2, top images: those that most people chose for the class."""

    name = "imagenet_v2_top_images"
    metrics = accuracy_metrics(name, "V2 top images")
    citation = RECHT


@dataclass(frozen=True, kw_only=True)
class ImageNetSketch(ShiftedSet):
    """ImageNet-Sketch: 50,889 black-and-white sketches of the 1,000 classes."""

    name = "imagenet_sketch"
    metrics = accuracy_metrics(name, "Sketch")
    citation = "Wang et al., Learning Robust Global Representations by Penalizing Local Predictive Power, NeurIPS 2019"


@dataclass(frozen=True, kw_only=True)
class ImageNetA(ShiftedSet):
    """ImageNet-A: 7,500 photographs that a ResNet-50 got wrong; the decision is among their 200 classes."""

    name = "imagenet_a"
    metrics = accuracy_metrics(name, "ImageNet-A")
    compared_with = "imagenet_a_clean"
    citation = HENDRYCKS_A


@dataclass(frozen=True, kw_only=True)
class ImageNetR(ShiftedSet):
    """ImageNet-R: 30,000 renditions (art, toys, sculptures, ...); the decision is among their 200 classes."""

    name = "imagenet_r"
    metrics = accuracy_metrics(name, "ImageNet-R")
    compared_with = "imagenet_r_clean"
    citation = HENDRYCKS_R


@dataclass(frozen=True, kw_only=True)
class _CleanSubset(ShiftedSet):
    """The main images of a subset of ImageNet's classes, decided on among these."""

    def data_of(self, main: DataConfig) -> DataConfig:
        """The main images of those classes."""
        subset = self.name.removesuffix("_clean")
        return replace(main, name=self.name, label_space=subset, other_classes="leave_out")


@dataclass(frozen=True, kw_only=True)
class ImageNetAClean(_CleanSubset):
    """The validation images of ImageNet-A's 200 classes, decided on among these."""

    name = "imagenet_a_clean"
    metrics = accuracy_metrics(name, "Clean, A's classes", top5=False)
    citation = HENDRYCKS_A


@dataclass(frozen=True, kw_only=True)
class ImageNetRClean(_CleanSubset):
    """The validation images of ImageNet-R's 200 classes, decided on among these."""

    name = "imagenet_r_clean"
    metrics = accuracy_metrics(name, "Clean, R's classes", top5=False)
    citation = HENDRYCKS_R


@dataclass(frozen=True, kw_only=True)
class ImageNetHard(ShiftedSet):
    """ImageNet-Hard: images that six classifiers got wrong at every crop and zoom; some have several right classes."""

    name = "imagenet_hard"
    metrics = accuracy_metrics(name, "ImageNet-Hard")
    citation = "Taesiri et al., ImageNet-Hard, NeurIPS 2023 Datasets and Benchmarks"
