"""From latents to expression: a ridge readout, so that a model's numbers are in expression units.

Shapes: n cells, D latent dimensions, G genes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from ....errors import InputError
from .pseudobulk import Expression

_BLOCK = 4096  # cells that are float64 at once
_ALPHAS = tuple(10.0**e for e in range(-4, 7))


@dataclass(frozen=True)
class Readout:
    """expression = latent @ coefficients + intercept.

    Attributes:
        coefficients: float64 (D, G).
        intercept: float64 (G,).
        alpha: chosen strength, times n added to the latents' standardised second moments.
        gcv: alpha -> generalised cross-validation error, mean over genes, expression units squared.
    """

    coefficients: np.ndarray
    intercept: np.ndarray
    alpha: float
    gcv: dict[float, float]

    def __call__(self, latents: np.ndarray) -> np.ndarray:
        """Expression (m, G) of latents (m, D). Linear: a mean of latents gives the mean expression."""
        return np.asarray(latents, dtype=np.float64) @ self.coefficients + self.intercept


def fit_readout(
    latents: np.ndarray, expression: Expression, alphas: Sequence[float] = _ALPHAS
) -> Readout:
    """Ridge of expression (n, G; dense or CSR) on latents (n, D), fitted on training cells only.

    Latents are standardised, the intercept is free, alpha (relative to n) minimises generalised
    cross-validation (Golub, Heath & Wahba 1979): mean squared residual / (1 - df / n)^2 with df the
    effective number of parameters, intercept included. Only moments are kept, D x D and D x G, so
    that memory does not grow with n; equal to scikit-learn's Ridge(alpha * n) on standardised latents.

    Raises:
        InputError: different numbers of cells, fewer than three, values that are not finite.
    """
    n = len(latents)
    if n != expression.shape[0] or n < 3:
        raise InputError(
            f"readout: found {n} latents and {expression.shape[0]} cells of expression; expected one "
            "latent a cell and at least three cells"
        )
    z, x, zz, zx, xx = _moments(latents, expression)
    if not np.isfinite(zz).all() or not np.isfinite(xx):
        raise InputError("readout: latents or expression have values that are not finite")
    variance = np.diagonal(zz) / n
    live = variance > 1e-12 * max(variance.max(), np.square(z).max())
    scale = np.where(live, np.sqrt(np.where(live, variance, 1)), np.inf)
    eigenvalues, vectors = np.linalg.eigh(zz / np.outer(scale, scale) / n)
    eigenvalues = eigenvalues.clip(min=0)
    projected = vectors.T @ (zx / scale[:, None]) / n  # covariances of components and genes
    gcv = {a: _gcv(a, n, eigenvalues, projected, xx / n) for a in sorted(alphas)}
    alpha = min(gcv, key=lambda a: (gcv[a], -a))
    coefficients = vectors @ (projected / (eigenvalues + alpha)[:, None]) / scale[:, None]
    return Readout(coefficients, x - z @ coefficients, alpha, gcv)


def _moments(latents: np.ndarray, expression: Expression) -> tuple:
    """Means (D,), (G,), centred sums of products (D, D), (D, G), and of squares of expression."""
    n, total = len(latents), np.zeros(expression.shape[1])
    z = np.mean(latents, axis=0, dtype=np.float64)
    zz = np.zeros((len(z), len(z)))
    zx = np.zeros((len(z), len(total)))
    squares = 0.0
    for a in range(0, n, _BLOCK):
        rows = np.asarray(latents[a : a + _BLOCK], dtype=np.float64) - z
        block = expression[a : a + _BLOCK].astype(np.float64)
        zz += rows.T @ rows
        zx += (block.T @ rows).T
        values = block.data if sp.issparse(block) else block.ravel()
        squares += float(values @ values)
        total += np.asarray(block.sum(0)).ravel()
    x = total / n
    return z, x, zz, zx, squares - n * float(x @ x)


def _gcv(alpha: float, n: int, eigenvalues: np.ndarray, projected: np.ndarray, total: float) -> float:
    """Generalised cross-validation error: residuals from the moments alone."""
    power = np.square(projected).sum(1)
    shrunk = eigenvalues + alpha
    residual = total - (power * (eigenvalues + 2 * alpha) / shrunk**2).sum()
    df = 1 + (eigenvalues / shrunk).sum()
    return float(max(residual, 0.0) / projected.shape[1] / (1 - df / n) ** 2) if df < n else np.inf
