"""What a sweep cost and how precise its figures are, where some rest on a sample of the images."""
