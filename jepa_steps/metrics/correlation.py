"""The correlation of dimensions in an order that shows blocks."""

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from .moments import Moments


def heat_map(m: Moments, most: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Correlation (d, d) of d = min(D, most) dimensions, similar ones side by side, and which they are.

    Ordered by average linkage of 1 - |r| with optimal leaves (Bar-Joseph et al. 2001). Where D exceeds
    ``most``, evenly spaced dimensions are shown. Constant ones have correlation 0 with all, themselves
    included. The second array: int64 (d,), dimensions in the order shown.
    """
    dim = len(m.mean)
    chosen = np.linspace(0, dim - 1, min(dim, most)).round().astype(np.int64)
    r = m.correlation[np.ix_(chosen, chosen)]
    if len(chosen) > 2:
        away = squareform(1 - np.abs(r), checks=False)
        tree = optimal_leaf_ordering(linkage(away, "average"), away)
        order = leaves_list(tree)
        chosen, r = chosen[order], r[np.ix_(order, order)]
    return r, chosen
