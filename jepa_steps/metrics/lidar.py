"""LiDAR: how many directions tell samples apart, whatever the view.

Thilak et al. 2023, "LiDAR: Sensing Linear Probing Performance in Joint Embedding SSL Architectures".

Shapes: n samples, q views of each, D dimensions.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from .moments import Moments


@dataclass(frozen=True)
class ViewMoments:
    """Moments of the samples' mean views, and scatter (D, D) of the q views within samples; float64."""

    means: Moments
    within: np.ndarray
    q: int

    @staticmethod
    def of(views_nqD: np.ndarray) -> "ViewMoments":
        """Of one block of samples with all their views (n, q, D), n > 0, q >= 2."""
        views = np.asarray(views_nqD, np.float64)
        mean = views.mean(1)
        away = (views - mean[:, None]).reshape(-1, views.shape[-1])
        return ViewMoments(Moments.of(mean), away.T @ away, views.shape[1])

    def merge(self, other: "ViewMoments") -> "ViewMoments":
        """Of both sample sets together; a sample's views all belong to one of them."""
        return ViewMoments(self.means.merge(other.means), self.within + other.within, self.q)


def view_moments(views_nqD: np.ndarray, block: int = 128) -> ViewMoments:
    """Moments of views (n, q, D), read in blocks of samples so that memory does not grow with n.

    Raises:
        ValueError: fewer than two samples, or than two views.
    """
    n, q, _ = views_nqD.shape
    if n < 2 or q < 2:
        raise ValueError(f"found {n} samples with {q} views, expected at least 2 of each")
    total = None
    for a in range(0, n, block):
        part = ViewMoments.of(views_nqD[a : a + block])
        total = part if total is None else total.merge(part)
    return total


def discriminant_eigenvalues(m: ViewMoments, delta: float = 1e-4) -> np.ndarray:
    """Eigenvalues (D,), descending, of Sw^-1/2 Sb Sw^-1/2.

    Sb: covariance of the n mean views, over n - 1. Sw: of views within samples, over n (q - 1), plus
    delta I; delta is in units of the embeddings' variance, so scale matters where views hardly differ.
    """
    within = m.within / (m.means.n * (m.q - 1))
    within[np.diag_indices_from(within)] += delta
    return eigh(m.means.covariance, within, eigvals_only=True)[::-1].clip(min=0)


def lidar(views_nqD: np.ndarray, delta: float = 1e-4, eps: float = 1e-8) -> dict[str, float | int | str]:
    """exp(entropy of p), p_k = lambda_k / sum lambda + eps over ``discriminant_eigenvalues``.

    Returns lidar, n, q, dim, max and trust. It cannot exceed max = min(D, n - 1), so n must exceed D:
    trust is "few" where it does not, and the value then measures the number of samples, too; else "ok".
    0 where all samples have the same mean view.
    """
    n, q, dim = views_nqD.shape
    eigenvalues = discriminant_eigenvalues(view_moments(views_nqD), delta)
    total, value = eigenvalues.sum(), 0.0
    if total > 0:
        p = eigenvalues / total + eps
        value = float(np.exp(-(p * np.log(p)).sum()))
    trust = "few" if n <= dim else "ok"
    return {"lidar": value, "n": n, "q": q, "dim": dim, "max": min(dim, n - 1), "trust": trust}
