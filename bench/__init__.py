"""conf -> sweep -> (classifier + images) -> benchmark -> outcomes -> store -> metrics -> reports, one way only."""

__version__ = "0.1.0"
