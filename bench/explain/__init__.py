"""Explanations: attribution maps for any classifier, and whether they are to be believed."""

from bench.explain.attribute import METHODS, Method, attribute, check_method

__all__ = ["METHODS", "Method", "attribute", "check_method"]
