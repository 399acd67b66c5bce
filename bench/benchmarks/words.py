"""Conditions in words, from their name, their strength and what the strength counts."""

from collections.abc import Collection

from bench.records import Condition, Parameter

CLEAN = Condition("clean")
"""The images as they are."""
AFTER_THE_NUMBER = ("pixels", "values", "percent", "degrees", "tiles")
"""Units that stand behind their number: ``3 pixels``, ``90 degrees``."""


def describe_condition(condition: Condition, unit: str, known: Collection[Parameter] = ()) -> str:
    """A condition in words: ``snow severity 3``, ``epsilon 4/255``, ``1 pixel``, ``gamma 0.5``.

    Args:
        condition: what is done to the images.
        unit: what its strength counts; empty where it has none.
        known: words that the reader knows, such as the benchmark's name: a condition of that name is its strength.
    """
    if condition == CLEAN:
        return "the clean images"
    if not unit:
        return condition.name
    name = "" if condition.name in (unit, *known) else condition.name
    return f"{name} {describe_strength(condition.strength, unit)}".strip()


def describe_strength(strength: float, unit: str) -> str:
    """A strength in words: ``epsilon 4/255`` (up to a quarter, as the field writes it), ``1 pixel``, ``severity 3``."""
    if unit in AFTER_THE_NUMBER:
        return f"{strength:g} {unit.removesuffix('s') if strength == 1 else unit}"
    if unit == "epsilon" and 0 < strength <= 0.25:
        return f"epsilon {strength * 255:.4g}/255"
    return f"{unit} {strength:g}"
