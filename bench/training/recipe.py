"""What a training recipe says, and the checks that need neither images nor weights."""

from dataclasses import dataclass

from bench.benchmarks.adversarial import parse_epsilon
from bench.errors import ConfigurationError


@dataclass
class Recipe:
    """How to train (``conf/recipe``). Without attack steps it is plain training; with them, adversarial training."""

    name: str = "fast_fgsm"
    """What the recipe is called."""
    steps: int = 1
    """Attack steps on every batch; 0 trains on the images as they are, 1 is fast FGSM, more is PGD."""
    epsilon: str = "8/255"
    """Radius of the Linf ball, in [0,1] pixel units or as a fraction."""
    step_size: float = 1.25
    """Size of an attack step as a share of epsilon."""
    epochs: int = 15
    """Passes over the images."""
    batch_size: int = 128
    """Images a step."""
    learning_rate: float = 0.2
    """Peak of the one-cycle schedule."""
    momentum: float = 0.9
    """Of stochastic gradient descent."""
    weight_decay: float = 5e-4
    """L2 penalty on every parameter."""
    crop_shift: float = 0.125
    """Zero padding of the random crop as a share of the side: 4 pixels of 32, 28 of 224."""
    flip: bool = True
    """Mirror every second image."""
    holdout: int = 250
    """Images kept out of training, class-balanced, on which every epoch is judged."""
    new_head: int | None = None
    """Logits of a fresh classification layer in place of the network's own."""

    @property
    def radius(self) -> float:
        """Epsilon as a number, in [0,1] pixel units."""
        return parse_epsilon(self.epsilon)


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
    if recipe.radius > 1:
        raise ConfigurationError(
            f"recipe.epsilon is on pixels in [0,1], not {recipe.epsilon}: write {recipe.epsilon}/255 for grey levels"
        )
    if recipe.steps and (recipe.radius == 0 or recipe.step_size <= 0):
        raise ConfigurationError(
            f"adversarial training needs recipe.epsilon and recipe.step_size above 0, not {recipe.epsilon} and"
            f" {recipe.step_size}; recipe=plain trains without an attack"
        )
