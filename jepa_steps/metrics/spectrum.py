"""Ranks of an embedding matrix, each under the name and formula of its paper.

All come from singular values sigma (descending) of the n x D matrix, or from the eigenvalues
lambda = sigma^2 / (n - 1) of the covariance. "centred" removes the mean row first.
"""

import numpy as np

from .moments import Moments


def singular_values(m: Moments, centred: bool = True) -> np.ndarray:
    """Singular values (D,) of the row matrix, descending, from its streamed moments."""
    gram = m.scatter if centred else m.scatter + m.n * np.outer(m.mean, m.mean)
    return np.sqrt(np.linalg.eigvalsh(gram)[::-1].clip(min=0))


def effective_rank(sigma: np.ndarray) -> float:
    """exp(entropy of sigma / sum sigma), 0 log 0 = 0 (Roy & Vetterli 2007); 0 for a zero matrix."""
    total = sigma.sum()
    if total == 0:
        return 0.0
    p = sigma[sigma > 0] / total
    return float(np.exp(-(p * np.log(p)).sum()))


def rankme(sigma_uncentred: np.ndarray, eps: float = 1e-7) -> float:
    """RankMe (Garrido et al. 2023): p_k = sigma_k / sum sigma + eps on the uncentred matrix."""
    total = sigma_uncentred.sum()
    if total == 0:
        return 0.0
    p = sigma_uncentred / total + eps
    return float(np.exp(-(p * np.log(p)).sum()))


def participation_ratio(sigma: np.ndarray) -> float:
    """(sum lambda)^2 / sum lambda^2."""
    squares = sigma**2
    return float(squares.sum() ** 2 / (squares**2).sum()) if squares.any() else 0.0


def stable_rank(sigma: np.ndarray) -> float:
    """||X||_F^2 / sigma_1^2."""
    return float((sigma**2).sum() / sigma[0] ** 2) if sigma[0] > 0 else 0.0


def alpha_req(sigma: np.ndarray, low: int = 3, high: int = 50) -> dict[str, float | list[int]]:
    """Decay exponent alpha of lambda_j ~ j^-alpha (Agrawal et al. 2022).

    Least squares of log lambda on log j with weights 1/j over ranks ``low`` to ``high`` (1-based,
    cut at the numerical rank); NaN-free: alpha 0 and r2 0 where fewer than 5 ranks are left.
    """
    eigenvalues = sigma**2
    keep = eigenvalues > eigenvalues[0] * 1e-12
    high = min(high, int(keep.sum()))
    if high - low < 4:
        return {"alpha": 0.0, "r2": 0.0, "ranks": [low, high]}
    j = np.arange(low, high + 1)
    x, y, w = np.log(j), np.log(eigenvalues[low - 1 : high]), 1.0 / j
    x_mean, y_mean = np.average(x, weights=w), np.average(y, weights=w)
    slope = (w * (x - x_mean) * (y - y_mean)).sum() / (w * (x - x_mean) ** 2).sum()
    rest = y - y_mean - slope * (x - x_mean)
    r2 = 1 - (w * rest**2).sum() / (w * (y - y_mean) ** 2).sum()
    return {"alpha": float(-slope), "r2": float(r2), "ranks": [low, high]}


def summary(m: Moments) -> dict[str, float | int | dict]:
    """All ranks of a row matrix, with the number of rows they were measured on."""
    centred, raw = singular_values(m), singular_values(m, centred=False)
    positive = centred[centred > centred[0] * 1e-12] if centred[0] > 0 else centred[:0]
    return {
        "n": m.n,
        "dim": len(m.mean),
        "effective_rank": effective_rank(centred),
        "rankme": rankme(raw),
        "participation_ratio": participation_ratio(centred),
        "stable_rank": stable_rank(centred),
        "alpha_req": alpha_req(centred),
        "numerical_rank": len(positive),
        "condition_number": float(positive[0] / positive[-1]) if len(positive) else 0.0,
    }
