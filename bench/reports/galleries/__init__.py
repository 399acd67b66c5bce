"""Pictures to look at: attacked images, attribution overlays, clusters, corruptions; and their place on the page."""
