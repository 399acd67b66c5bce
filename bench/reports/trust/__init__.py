"""The sections on whether a confidence can be trusted, and on images of no known class."""
