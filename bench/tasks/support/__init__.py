"""What several tasks share: reading the configuration, live figures, the summary of a job. No task is here."""
