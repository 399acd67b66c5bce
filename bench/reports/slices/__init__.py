"""Results by group of images: tables, plots and the section of the report."""
