"""How embeddings lie on the unit sphere: uniformity, alignment, clustering.

All take rows of any scale and normalise them; a row of zeros stays zero. Nothing holds n x n numbers.

Shapes: n rows or samples, q views of a sample, D dimensions.
"""

from collections.abc import Iterator

import numpy as np

from .. import draws
from ..arrays import release

BLOCK = 1024
WALKS = 20  # independent samples of pairs, at least, behind a standard error


def uniformity(rows: np.ndarray) -> float:
    """log mean over pairs i < j of exp(-2 ||z_i - z_j||^2) (Wang & Isola 2020, t = 2).

    Exact over all pairs of rows (n, D), self pairs excluded. 0 = one point; 8 / D - 4, nearly, = spread
    evenly over the sphere.
    """
    return _all_pairs(rows, 4.0)


def uniformity_sampled(rows: np.ndarray, pairs: int, seed: int) -> tuple[float, float]:
    """``uniformity`` over at least ``pairs`` random pairs, and the standard error of that sampling.

    Pairs are neighbours in random walks that visit a row once; the error comes from the spread of the
    walks' means (delta method). Of a float32 matrix to about 1e-6, whatever the number of pairs.
    """
    return _random_pairs(rows, 4.0, pairs, seed)


def log_mean_exp_similarity(rows: np.ndarray) -> float:
    """log mean over pairs i < j of exp(cos(z_i, z_j)), self pairs excluded.

    Elsewhere called uniformity as well: 1 = one point, 1 / (2 D), nearly, = even. It spans a
    third of ``uniformity``'s range and tells less.
    """
    return 1 + _all_pairs(rows, 1.0)


def log_mean_exp_similarity_sampled(rows: np.ndarray, pairs: int, seed: int) -> tuple[float, float]:
    """``log_mean_exp_similarity`` as ``uniformity_sampled``."""
    value, error = _random_pairs(rows, 1.0, pairs, seed)
    return 1 + value, error


def _all_pairs(rows: np.ndarray, t: float) -> float:
    """log mean over i < j of exp(t (cos - 1)), upper-triangular blocks in float32, sum in float64."""
    n, total = len(rows), 0.0
    if n < 2:
        raise ValueError("no pairs")
    z = np.empty(rows.shape, np.float32)
    for a, block in zip(range(0, n, BLOCK), _unit_blocks(rows), strict=True):
        z[a : a + BLOCK] = block
    for a in range(0, n, BLOCK):
        for b in range(a, n, BLOCK):
            block = z[a : a + BLOCK] @ z[b : b + BLOCK].T
            np.exp(t * block - np.float32(t), out=block)
            part = block.sum(dtype=np.float64)
            total += (part - np.trace(block, dtype=np.float64)) / 2 if a == b else part
    return float(np.log(total / (n * (n - 1) / 2)))


def _random_pairs(rows: np.ndarray, t: float, pairs: int, seed: int) -> tuple[float, float]:
    n = len(rows)
    if n < 2:
        raise ValueError("no pairs")
    draw, norm = draws.generator(seed, "random pairs"), np.concatenate(list(_norms(rows)))
    walks, means = max(WALKS, -(-pairs // (n - 1))), []
    for _ in range(walks):
        i = draw.permutation(n)[: -(-pairs // walks) + 1]
        x, size = rows[i], norm[i]
        cosine = np.einsum("ij,ij->i", x[1:], x[:-1]) / (size[1:] * size[:-1])
        means.append(np.exp(t * (cosine - 1)).mean(dtype=np.float64))
    mean = np.mean(means)
    return float(np.log(mean)), float(np.std(means, ddof=1) / np.sqrt(walks) / mean)


def alignment(views_nqD: np.ndarray) -> float:
    """Mean squared distance of two views of one sample (Wang & Isola 2020, alpha = 2).

    Over all samples and all pairs of their q >= 2 views. 0 = views make no difference; 2, nearly, =
    as far apart as random points. Says nothing alone: one point for all samples is aligned, too.
    """
    n, q, _ = views_nqD.shape
    total = 0.0
    for a in range(0, n, BLOCK):
        z = _unit(views_nqD[a : a + BLOCK])
        total += ((z - z.mean(1, keepdims=True)) ** 2).sum()
    return float(2 * total / (n * (q - 1)))


def self_cluster(rows: np.ndarray) -> float:
    """(||Z Z^T||_F^2 - e) / (n^2 - e), e = n + n (n - 1) / D (Tsitsulin et al. 2023).

    0 = no more clustered than random directions, 1 = one point. Not from the n x n matrix:
    ||Z Z^T||_F = ||Z^T Z||_F.
    """
    n, dim = rows.shape
    gram = sum(z.T @ z for z in _unit_blocks(rows))
    expected = n + n * (n - 1) / dim
    return float(((gram**2).sum() - expected) / (n**2 - expected)) if n**2 > expected else 0.0


def _unit_blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    for a in range(0, len(rows), BLOCK):
        yield _unit(rows[a : a + BLOCK])
        release(rows)


def _norms(rows: np.ndarray) -> Iterator[np.ndarray]:
    for a in range(0, len(rows), BLOCK):
        yield _norm(np.asarray(rows[a : a + BLOCK], np.float64))
        release(rows)


def _unit(x: np.ndarray) -> np.ndarray:
    """Rows over their norm, float64."""
    x = np.asarray(x, np.float64)
    return x / _norm(x)[..., None]


def _norm(x: np.ndarray) -> np.ndarray:
    """Norms of rows; 1 for a row of zeros, which stays what it is."""
    norm = np.sqrt(np.einsum("...i,...i->...", x, x))
    return np.where(norm > 0, norm, 1)
