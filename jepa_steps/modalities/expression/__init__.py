"""Perturb-seq: from a file of cells x genes to a split, normalised, memory-mapped store."""
