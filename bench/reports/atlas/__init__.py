"""The atlas: what one classifier has learned, as pictures on one page."""
