"""Ranks of an embedding matrix, each under the name and formula of its paper.

All come from the singular values sigma (descending) of the n x D matrix; lambda = sigma^2 / (n - 1)
are the eigenvalues of the covariance. "centred" removes the mean row first, "raw" does not: a mean
of five times the spread turns a raw rank of 97 into 20. A rank of few rows measures their number:
white noise of 384 dimensions reads 229 on 256 rows.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .moments import ROUNDING, Array, Moments, as_numpy

FEW, ENOUGH = 4, 10  # rows a dimension: below FEW no rank is shown, below ENOUGH with a warning


def singular_values(
    m: Moments, centred: bool = True, eigvalsh: Callable[[Array], Array] = np.linalg.eigvalsh
) -> np.ndarray:
    """Singular values (D,) of the row matrix, descending, from its streamed moments.

    What is below the rounding of the whole matrix counts as 0, so that equal rows have no spectrum.
    Moments on a device are decomposed there by torch's ``eigvalsh``: on a CPU it takes .1 to .3 s at
    D = 768 to 1,024.
    """
    outer = m.n * (m.mean[:, None] * m.mean)
    gram = m.scatter if centred else m.scatter + outer
    sigma = np.sqrt(as_numpy(eigvalsh(gram))[::-1].clip(min=0))
    noise = ROUNDING * np.sqrt(float(m.scatter.trace()) + float(outer.trace()))
    return np.where(sigma > noise, sigma, 0.0)


def effective_rank(sigma: np.ndarray) -> float:
    """exp(entropy of sigma / sum sigma), 0 log 0 = 0 (Roy & Vetterli 2007); 0 for a zero matrix."""
    total = sigma.sum()
    if total == 0:
        return 0.0
    p = sigma[sigma > 0] / total
    return float(np.exp(-(p * np.log(p)).sum()))


def rank_entropy_ev(sigma: np.ndarray) -> float:
    """exp(entropy of lambda / sum lambda): the effective rank of eigenvalues, smaller than of sigma.

    Some libraries call this RankMe.
    """
    return effective_rank(sigma**2)


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
    """||X||_F^2 / sigma_1^2; of the centred matrix this is NESum (He & Ozay 2022)."""
    return float((sigma**2).sum() / sigma[0] ** 2) if sigma[0] > 0 else 0.0


def numerical_rank(sigma: np.ndarray) -> int:
    """Number of singular values that a float64 Gram matrix resolves: lambda > D eps lambda_1.

    At D = 384 that is sigma > 3e-7 sigma_1.
    """
    return int((sigma**2 > len(sigma) * np.finfo(float).eps * sigma[0] ** 2).sum())


def directions(sigma: np.ndarray) -> int:
    """How many directions hold 99.999 % of the variance; 0 where nothing varies."""
    squares = np.square(sigma, dtype=np.float64)
    total = squares.sum()
    return int((np.cumsum(squares) < 0.99999 * total).sum()) + 1 if total > 0 else 0


def condition_number(sigma: np.ndarray) -> float:
    """Largest over smallest singular value within the numerical rank; 0 for a zero matrix."""
    rank = numerical_rank(sigma)
    return float(sigma[0] / sigma[rank - 1]) if rank else 0.0


def alpha_req(sigma: np.ndarray, low: int = 10, high: int = 100) -> dict[str, Any]:
    """Decay exponent alpha of lambda_j ~ j^-alpha (alpha-ReQ, Agrawal et al. 2022).

    Least squares of log lambda on log j with weights 1/j (Stringer et al. 2019) over the ranks
    ``low`` to ``high``, 1-based, cut at the numerical rank. Keys: alpha, r2 (weighted), ranks (the
    range used). alpha and r2 are None where fewer than 5 ranks are left: without a tail there is no
    exponent.
    """
    high = min(high, numerical_rank(sigma))
    if high - low < 4:
        return {"alpha": None, "r2": None, "ranks": None}
    j = np.arange(low, high + 1)
    x, y, w = np.log(j), 2 * np.log(sigma[low - 1 : high]), 1.0 / j
    x, y = x - np.average(x, weights=w), y - np.average(y, weights=w)
    slope = (w * x * y).sum() / (w * x**2).sum()
    spread = (w * y**2).sum()
    r2 = 1 - (w * (y - slope * x) ** 2).sum() / spread if spread > 0 else 1.0
    return {"alpha": float(-slope), "r2": float(r2), "ranks": [low, high]}


def trust(n: int, dim: int) -> str:
    """ "refused" below 4 rows a dimension, "few" below 10, else "ok"."""
    return "refused" if n < FEW * dim else "few" if n < ENOUGH * dim else "ok"


def summary(m: Moments) -> dict[str, Any]:
    """All ranks of a row matrix, centred and raw, with its size and whether n is enough for them.

    Where trust is "refused" every rank is None, and ``reason`` says why.
    """
    raw = singular_values(m, centred=False)
    ranks = {"raw": {**_ranks(raw), "rankme": rankme(raw)}}
    found = centred_summary(singular_values(m), m.n)
    return {**found, **(_emptied(ranks) if found["trust"] == "refused" else ranks)}


def centred_summary(sigma: np.ndarray, n: int) -> dict[str, Any]:
    """The centred ranks alone, from the singular values (D,) of n rows."""
    dim, ranks = len(sigma), {"centred": _ranks(sigma)}
    size = {"n": n, "dim": dim, "trust": trust(n, dim)}
    if size["trust"] == "refused":
        return {**size, **_emptied(ranks), "reason": refusal(n, dim)}
    return {**size, **ranks}


def refusal(n: int, dim: int) -> str:
    """Why there is no rank of n rows of ``dim`` dimensions."""
    return (
        f"{n} rows of {dim} dimensions: a rank from fewer than {FEW} rows per dimension measures the "
        f"number of rows; {FEW * dim} are needed"
    )


def _ranks(sigma: np.ndarray) -> dict[str, Any]:
    return {
        "effective_rank": effective_rank(sigma),
        "rank_entropy_ev": rank_entropy_ev(sigma),
        "participation_ratio": participation_ratio(sigma),
        "stable_rank": stable_rank(sigma),
        "alpha_req": alpha_req(sigma),
        "numerical_rank": numerical_rank(sigma),
        "condition_number": condition_number(sigma),
    }


def _emptied(tree: Any) -> Any:
    return {k: _emptied(v) for k, v in tree.items()} if isinstance(tree, dict) else None
