"""Streaming mean and scatter of embedding rows in float64.

The same code takes numpy arrays (offline, from a memory map) and torch tensors (in training, on the
device): it uses only what both understand. Blocks, workers and ranks merge exactly.

Shapes: n rows, D dimensions, S samples, N tokens a sample.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Rows, release

# Spread below this share of the root mean square is rounding: float64 sums, float32 embeddings.
ROUNDING = 1e-11

Array = Any  # a float64 numpy array or torch tensor


@dataclass(frozen=True)
class Moments:
    """Count, mean (D,) and scatter sum (x - mean)(x - mean)^T (D, D), all float64."""

    n: int
    mean: Array
    scatter: Array

    @staticmethod
    def of(rows: Array) -> "Moments":
        """Moments of one block of float64 rows (n, D), n > 0."""
        mean = rows.mean(0)
        centred = rows - mean
        return Moments(len(rows), mean, centred.T @ centred)

    def merge(self, other: "Moments") -> "Moments":
        """Moments of both row sets together (Chan, Golub & LeVeque 1979)."""
        n = self.n + other.n
        delta = other.mean - self.mean
        weight = self.n * other.n / n
        return Moments(
            n,
            self.mean + delta * (other.n / n),
            self.scatter + other.scatter + weight * delta[:, None] * delta,
        )

    def numpy(self) -> "Moments":
        """The same on the CPU as numpy arrays."""
        return Moments(self.n, as_numpy(self.mean), as_numpy(self.scatter))

    @property
    def covariance(self) -> np.ndarray:
        """Unbiased covariance (D, D)."""
        return self.scatter / max(self.n - 1, 1)

    @property
    def std(self) -> np.ndarray:
        """Standard deviation of each dimension (D,)."""
        return np.sqrt(np.diagonal(self.covariance).clip(min=0))

    @property
    def correlation(self) -> np.ndarray:
        """Correlation of dimensions (D, D); 0 in the rows and columns of constant dimensions.

        Constant: a std within the rounding of the mean.
        """
        alive = self.std > ROUNDING * np.abs(self.mean)
        scale = np.divide(1.0, self.std, out=np.zeros_like(self.std), where=alive)
        return (self.covariance * scale[:, None] * scale).clip(-1, 1)


@dataclass(frozen=True)
class TokenMoments:
    """Moments of token embeddings (S, N, D): of sample means, of all tokens, of each position.

    pooled: of the S sample means. tokens: of the S * N tokens. position_mean: (N, D), over samples.
    """

    pooled: Moments
    tokens: Moments
    position_mean: Array

    @staticmethod
    def of(tokens_SND: Array) -> "TokenMoments":
        """Moments of one block of float64 tokens (S, N, D), S > 0."""
        rows = tokens_SND.reshape(-1, tokens_SND.shape[-1])
        return TokenMoments(Moments.of(tokens_SND.mean(1)), Moments.of(rows), tokens_SND.mean(0))

    def merge(self, other: "TokenMoments") -> "TokenMoments":
        """Moments of both sample sets together."""
        share = other.pooled.n / (self.pooled.n + other.pooled.n)
        return TokenMoments(
            self.pooled.merge(other.pooled),
            self.tokens.merge(other.tokens),
            self.position_mean + (other.position_mean - self.position_mean) * share,
        )

    def numpy(self) -> "TokenMoments":
        """The same on the CPU as numpy arrays."""
        return TokenMoments(self.pooled.numpy(), self.tokens.numpy(), as_numpy(self.position_mean))

    @property
    def position_centred(self) -> Moments:
        """Moments of the tokens less their position's mean over the samples."""
        away = self.position_mean - self.tokens.mean
        return Moments(
            self.tokens.n,
            self.tokens.mean * 0,
            self.tokens.scatter - self.pooled.n * (away.T @ away),
        )


def moments(rows: np.ndarray | Rows, block: int = 2048) -> Moments:
    """Moments of rows (n, D), read in blocks so that memory does not grow with n."""
    return _streamed(Moments, rows, block)


def token_moments(tokens_SND: np.ndarray, block: int = 64) -> TokenMoments:
    """Moments of token embeddings (S, N, D), read in blocks of samples."""
    return _streamed(TokenMoments, tokens_SND, block)


def _streamed(kind: Any, array: np.ndarray, block: int) -> Any:
    total = None
    for a in range(0, len(array), block):
        part = kind.of(np.asarray(array[a : a + block], dtype=np.float64))
        total = part if total is None else total.merge(part)
        release(array)
    if total is None:
        raise ValueError("no rows")
    return total


def as_numpy(array: Array) -> np.ndarray:
    """A numpy array, or what a torch tensor holds."""
    return array if isinstance(array, np.ndarray) else array.cpu().numpy()
