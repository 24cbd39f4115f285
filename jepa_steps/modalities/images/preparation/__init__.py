"""From an image as its file holds it to its pixels in the store."""
