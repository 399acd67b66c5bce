"""Classifiers: timm architectures with hub, local or packaged weights, normalisation inside."""

from bench.models.classifier import Classifier, LabelSubset
from bench.models.loading import ModelConfig, check_model, load_classifier

__all__ = ["Classifier", "LabelSubset", "ModelConfig", "check_model", "load_classifier"]
