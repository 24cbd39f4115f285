"""What white noise of the same size gives: the level that a measured number must be read against."""

import numpy as np
from scipy.special import hyp0f1

from . import spectrum


def marchenko_pastur(n: int, dim: int) -> np.ndarray:
    """Expected singular values (dim,), descending, of n centred rows of unit white noise.

    Quantiles of the law of Marchenko & Pastur (1967) for gamma = dim / (n - 1): lambda = 1 + gamma +
    2 sqrt(gamma) cos theta has the density 2 sin^2(theta) / (pi lambda) in theta. For n - 1 < dim the
    last dim - n + 1 are 0.
    """
    gamma, positive = dim / (n - 1), min(dim, n - 1)
    theta = (np.arange(20_000) + 0.5) * np.pi / 20_000
    eigenvalue = 1 + gamma + 2 * np.sqrt(gamma) * np.cos(theta)
    share = np.cumsum(np.sin(theta) ** 2 / eigenvalue)
    at = (np.arange(positive) + 0.5) / positive
    quantile = np.interp(at, (share - share[0] / 2) / share[-1], eigenvalue)
    return np.concatenate([np.sqrt((n - 1) * quantile), np.zeros(dim - positive)])


def levels(n: int, dim: int) -> dict[str, float | int]:
    """Every number of the rank analysis for n rows of white noise of ``dim`` dimensions.

    Ranks from ``marchenko_pastur``; uniformity and similarity for points spread evenly over the
    sphere, E exp(k cos) = 0F1(; D/2; k^2 / 4). An encoder that passes information on is not white:
    these are the levels of no structure at all, not the best values.
    """
    sigma = marchenko_pastur(n, dim)
    return {
        "n": n,
        "dim": dim,
        "effective_rank": spectrum.effective_rank(sigma),
        "rank_entropy_ev": spectrum.rank_entropy_ev(sigma),
        "participation_ratio": spectrum.participation_ratio(sigma),
        "stable_rank": spectrum.stable_rank(sigma),
        "condition_number": spectrum.condition_number(sigma),
        "uniformity": float(np.log(hyp0f1(dim / 2, 4.0)) - 4),
        "log_mean_exp_similarity": float(np.log(hyp0f1(dim / 2, 0.25))),
        "self_cluster": 0.0,
        "sigreg_ratio": 1.0,
        "alignment": 2.0,
    }
