"""Accuracy on shifted image sets: tables, plots and the section of the report."""
