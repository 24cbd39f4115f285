"""From a source to the prepared store: labels, splits, two passes over the matrix, the leak audit."""
