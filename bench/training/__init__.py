"""Training and adversarial training: recipes, a resumable loop, and a watch on catastrophic overfitting."""

from bench.configs import Recipe
from bench.training.checkpoint import EpochRecord
from bench.training.recipe import attack_radius, check_recipe
from bench.training.start import check_classes, classifier_to_train, with_new_head
from bench.training.train import Training

__all__ = [
    "EpochRecord",
    "Recipe",
    "Training",
    "attack_radius",
    "check_classes",
    "check_recipe",
    "classifier_to_train",
    "with_new_head",
]
