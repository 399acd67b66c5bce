"""Pure functions from per-image outcomes to estimates: no classifiers, no files."""
