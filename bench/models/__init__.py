"""Classifiers: timm architectures with hub, local or packaged weights, normalisation inside."""

from bench.models.classifier import Classifier, LabelSubset
from bench.models.defended import DefendedClassifier, defend, restrict
from bench.models.defenses import DEFENSES, Defense
from bench.models.loading import ModelConfig, check_model, load_classifier

__all__ = [
    "DEFENSES",
    "Classifier",
    "DefendedClassifier",
    "Defense",
    "LabelSubset",
    "ModelConfig",
    "check_model",
    "defend",
    "load_classifier",
    "restrict",
]
