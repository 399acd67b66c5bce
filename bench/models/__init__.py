"""Classifiers from timm, torchvision, Hugging Face, ... (``bench.models.sources``), normalisation inside."""

from bench.configs import ModelConfig
from bench.models.classifier import ClassGroups, Classifier, LabelSubset, group_scores, has_gradient
from bench.models.defended import DefendedClassifier, defend, restrict
from bench.models.defenses import DEFENSES, Defense
from bench.models.hub import in_hub_cache
from bench.models.loading import check_input_size, check_model, display_name, load_classifier
from bench.models.numerics import check_precision, numerics
from bench.models.source import ModelOutline, ModelSource, register_model_source

__all__ = [
    "DEFENSES",
    "ClassGroups",
    "Classifier",
    "DefendedClassifier",
    "Defense",
    "LabelSubset",
    "ModelConfig",
    "ModelOutline",
    "ModelSource",
    "check_input_size",
    "check_model",
    "check_precision",
    "defend",
    "display_name",
    "group_scores",
    "has_gradient",
    "in_hub_cache",
    "load_classifier",
    "numerics",
    "register_model_source",
    "restrict",
]
