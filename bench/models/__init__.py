"""Classifiers: timm architectures with hub, local or packaged weights, normalisation inside."""

from bench.configs import ModelConfig
from bench.models.classifier import Classifier, LabelSubset
from bench.models.defended import DefendedClassifier, defend, restrict
from bench.models.defenses import DEFENSES, Defense
from bench.models.hub import in_hub_cache
from bench.models.loading import ModelOutline, check_input_size, check_model, load_classifier
from bench.models.plugged import ModelSource, register_model_source

__all__ = [
    "DEFENSES",
    "Classifier",
    "DefendedClassifier",
    "Defense",
    "LabelSubset",
    "ModelConfig",
    "ModelOutline",
    "ModelSource",
    "check_input_size",
    "check_model",
    "defend",
    "in_hub_cache",
    "load_classifier",
    "register_model_source",
    "restrict",
]
