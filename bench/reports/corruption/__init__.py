"""Accuracy under corruptions: tables, plots and the section of the report."""
