"""Adversarial attacks: tables, plots, self-checks and the section of the report."""
