"""The attribution audit: tables, plots and the section of the report."""
