"""Speed, side by side with the libraries of the field."""
