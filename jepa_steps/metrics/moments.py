"""Streaming mean and scatter of embedding rows in float64.

Shapes: n rows, D dimensions.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Moments:
    """Count, mean (D,) and scatter sum (x - mean)(x - mean)^T (D, D), all float64."""

    n: int
    mean: np.ndarray
    scatter: np.ndarray

    def merge(self, other: "Moments") -> "Moments":
        """Moments of both row sets together (Chan, Golub & LeVeque 1979)."""
        n = self.n + other.n
        delta = other.mean - self.mean
        weight = self.n * other.n / n
        return Moments(
            n,
            self.mean + delta * (other.n / n),
            self.scatter + other.scatter + weight * np.outer(delta, delta),
        )

    @property
    def covariance(self) -> np.ndarray:
        """Unbiased covariance (D, D)."""
        return self.scatter / max(self.n - 1, 1)

    @property
    def std(self) -> np.ndarray:
        """Standard deviation of each dimension (D,)."""
        return np.sqrt(np.diagonal(self.covariance).clip(min=0))


def moments(rows: np.ndarray, block: int = 2048) -> Moments:
    """Moments of rows (n, D), read in blocks so that memory does not grow with n."""
    total = None
    for a in range(0, len(rows), block):
        x = np.asarray(rows[a : a + block], dtype=np.float64)
        mean = x.mean(0)
        centred = x - mean
        part = Moments(len(x), mean, centred.T @ centred)
        total = part if total is None else total.merge(part)
    if total is None:
        raise ValueError("no rows")
    return total
