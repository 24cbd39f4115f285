"""Floors: encoders that are not trained by prediction, behind the encoder's interface.

Shapes: B samples of P values, whatever their axes, D components.
"""

import numpy as np
import torch
from torch import Tensor, nn


class RawInput(nn.Module):
    """The normalised values as one token: (B, ...) -> (B, 1, P). Missing ones (NaN) are 0, the mean."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, None].nan_to_num(0.0)


class PcaProjection(nn.Module):
    """Projection on principal components: (B, ...) -> (B, 1, D). Missing values (NaN) are 0, the
    mean."""

    def __init__(self, values: int, dim: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(values))
        self.register_buffer("components", torch.zeros(dim, values))

    def forward(self, x: Tensor) -> Tensor:
        return ((x.flatten(1).nan_to_num(0.0) - self.mean) @ self.components.T)[:, None]


def principal_components(blocks, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean (P,) and leading eigenvectors (dim, P) of the covariance of all rows, in float64.

    Streams over ``blocks``, arrays (n, P), so that the rows need not fit into memory; the sign of
    each component makes its largest entry positive. Missing values (NaN) are 0.
    """
    n, total, second = 0, 0.0, 0.0
    for block in blocks:
        rows = np.nan_to_num(np.asarray(block, dtype=np.float64))
        n, total, second = n + len(rows), total + rows.sum(0), second + rows.T @ rows
    mean = total / n
    _, vectors = np.linalg.eigh(second / n - np.outer(mean, mean))
    return mean, _signed(vectors[:, ::-1][:, :dim].T)


def components_of_wide(rows: np.ndarray, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """The same of rows float32 (n, P) of many more values than there are rows, which must fit into
    memory: from the eigenvectors of their n x n inner products, as the P x P covariance would not fit.

    Raises:
        ValueError: more components than n - 1 rows have directions.
    """
    if dim >= len(rows):
        raise ValueError(f"{dim} components of {len(rows)} rows, expected fewer than rows")
    rows = np.nan_to_num(rows)
    mean = rows.mean(0, dtype=np.float64)
    rows = rows - mean.astype(np.float32)
    products = np.zeros((len(rows), len(rows)))
    for a in range(0, rows.shape[1], 4096):
        block = rows[:, a : a + 4096].astype(np.float64)
        products += block @ block.T
    values, vectors = np.linalg.eigh(products)
    weights = vectors[:, ::-1][:, :dim] / np.sqrt(np.maximum(values[::-1][:dim], 1e-30))
    return mean, _signed((rows.T @ weights.astype(np.float32)).T.astype(np.float64))


def _signed(components: np.ndarray) -> np.ndarray:
    """Components (dim, P) whose largest entries are positive."""
    signs = np.sign(components[np.arange(len(components)), np.abs(components).argmax(1)])
    return components * signs[:, None]
