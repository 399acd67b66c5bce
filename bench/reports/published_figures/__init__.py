"""Published figures beside the user's own: tables, plots and the section of the report."""
