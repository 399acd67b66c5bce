"""What a training recipe says, and the checks that need neither images nor weights."""

from bench.benchmarks.adversarial import parse_epsilon
from bench.configs import Recipe
from bench.errors import ConfigurationError


def attack_radius(recipe: Recipe) -> float:
    """The recipe's epsilon as a number, in [0,1] pixel units."""
    return parse_epsilon(recipe.epsilon)


def check_recipe(recipe: Recipe) -> None:
    """Refuse a recipe that cannot be followed.

    Raises:
        ConfigurationError: naming the value and what it may be.
    """
    at_least = {"steps": 0, "epochs": 1, "batch_size": 2, "holdout": 1}
    for key, least in at_least.items():
        if getattr(recipe, key) < least:
            raise ConfigurationError(f"recipe.{key} is at least {least}, not {getattr(recipe, key)}")
    if not 0 < recipe.learning_rate < float("inf"):
        raise ConfigurationError(f"recipe.learning_rate is above 0, not {recipe.learning_rate}")
    if not 0 <= recipe.momentum < 1:
        raise ConfigurationError(f"recipe.momentum is in [0,1), not {recipe.momentum}")
    if recipe.weight_decay < 0:
        raise ConfigurationError(f"recipe.weight_decay is not negative, but {recipe.weight_decay} is")
    if not 0 <= recipe.crop_shift < 0.5:
        raise ConfigurationError(f"recipe.crop_shift is a share of the side in [0,0.5), not {recipe.crop_shift}")
    if recipe.new_head is not None and recipe.new_head < 2:
        raise ConfigurationError(f"recipe.new_head is at least 2 classes, not {recipe.new_head}")
    radius = attack_radius(recipe)
    if radius > 1:
        raise ConfigurationError(
            f"recipe.epsilon is on pixels in [0,1], not {recipe.epsilon}: write {recipe.epsilon}/255 for grey levels"
        )
    if recipe.steps and (radius == 0 or recipe.step_size <= 0):
        raise ConfigurationError(
            f"adversarial training needs recipe.epsilon and recipe.step_size above 0, not {recipe.epsilon} and"
            f" {recipe.step_size}; recipe=plain trains without an attack"
        )
