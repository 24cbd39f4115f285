"""How much one count is in each cell, so that counts can be had back from scaled values and logarithms.

A cell of counts that was scaled holds multiples of one number. Where its logarithm was taken, its
exponential less one does.

Shapes: n cells, G genes, k values that are not 0.
"""

import numpy as np
from scipy import sparse

_MOST = 4  # counts that the smallest value of a cell may stand for
_TOLERANCE = 0.03  # of a count, by which values may miss whole numbers
ENOUGH = 0.99  # share of training cells that must be multiples, for all to be taken for counts


def count_values(x: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """What one count is worth, float64 (n,), and bool (n,), whether all values of the cell are whole
    counts of that worth.

    The worth is the smallest value, or its half, third or quarter, where only these divide all values;
    the smallest value where none does, and 1 in a cell of zeros, which counts as whole.

    Args:
        x: linear values (n, G), none of them negative.
    """
    n = x.shape[0]
    row = np.repeat(np.arange(n), np.diff(x.indptr))
    values = x.data.astype(np.float64)
    smallest = np.full(n, np.inf)
    np.minimum.at(smallest, row[values > 0], values[values > 0])
    smallest[np.isinf(smallest)] = 1.0
    worth, whole = smallest.copy(), np.zeros(n, bool)
    for counts in range(1, _MOST + 1):
        open_ = ~whole[row]  # values of cells that no smaller number has fitted
        ratio = values[open_] / smallest[row[open_]] * counts
        off = np.zeros(n)
        np.maximum.at(off, row[open_], np.abs(ratio - np.round(ratio)))
        fits = ~whole & (off <= _TOLERANCE)
        worth[fits] = smallest[fits] / counts
        whole |= fits
    return worth, whole
