"""Principal components of cells.

Shapes: n cells, G genes, k axes.
"""

import numpy as np
from scipy import sparse


def principal_axes(
    expression: np.ndarray | sparse.csr_matrix, dims: int
) -> tuple[np.ndarray, np.ndarray]:
    """(axes float64 (G, k), variance along each (k,)) of cells (n, G), dense or CSR: those on which they
    vary most, at most ``dims``, and none where cells or genes are too few."""
    from sklearn.decomposition import PCA  # takes most of a second, and most experiments need none

    dims = min(dims, min(expression.shape) - 1)
    if dims < 1 or not (expression.nnz if sparse.issparse(expression) else expression.any()):
        return np.zeros((expression.shape[1], 0)), np.zeros(0)
    pca = PCA(dims, svd_solver="arpack", random_state=0).fit(expression.astype(np.float64))
    return pca.components_.T, np.maximum(pca.explained_variance_, 0)
