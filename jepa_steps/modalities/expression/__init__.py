"""Perturb-seq: from cells x genes to a split, normalised store, a JEPA of cells, predicted effects."""
