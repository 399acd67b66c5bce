"""Explanations: attribution maps for any classifier, and whether they are to be believed."""

from bench.explain.agreement import agreement, rank_correlation
from bench.explain.attribute import METHODS, Method, attribute, check_method, check_without_gradient
from bench.explain.faithfulness import Curves, deletion, insertion
from bench.explain.randomisation import RandomisedStage, randomisation_check

__all__ = [
    "METHODS",
    "Curves",
    "Method",
    "RandomisedStage",
    "agreement",
    "attribute",
    "check_method",
    "check_without_gradient",
    "deletion",
    "insertion",
    "randomisation_check",
    "rank_correlation",
]
