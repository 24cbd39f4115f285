"""Paired comparison of experiments on the same test samples."""

import numpy as np

from ..data import counter
from ..metrics.probes import bootstrap_interval

_FLIPS = 2000


def paired(a: list[np.ndarray], b: list[np.ndarray], groups: np.ndarray) -> dict[str, float]:
    """Difference of accuracies, a - b, in points, with a 95 % interval and a two-sided p.

    Args:
        a, b: share of correct predictions by test sample (m,), one array a seed.
        groups: int (m,), samples that are resampled together.
    """
    difference = 100 * (np.mean(a, axis=0) - np.mean(b, axis=0))
    code = np.unique(groups, return_inverse=True)[1]
    sums, counts = np.bincount(code, difference), np.bincount(code)
    low, high = bootstrap_interval(sums / counts, 2000, seed=0)
    rng = counter.generator(0, "sign flips")
    beyond = sum(
        abs((sums * rng.choice((-1, 1), len(sums))).sum()) >= abs(sums.sum()) - 1e-9
        for _ in range(_FLIPS)
    )
    p = (1 + beyond) / (1 + _FLIPS)
    return {"points": float(difference.mean()), "low": low, "high": high, "p": float(p)}


def holm(p_values: list[float]) -> list[float]:
    """Adjusted p values that hold for all comparisons together (Holm 1979)."""
    order, adjusted, worst = np.argsort(p_values), np.empty(len(p_values)), 0.0
    for place, i in enumerate(order):
        worst = max(worst, min(1.0, (len(p_values) - place) * p_values[i]))
        adjusted[i] = worst
    return adjusted.tolist()


def verdict(low: float, high: float, adjusted_p: float) -> str:
    """ "beats" or "below" where the interval excludes 0 and the adjusted p is at most 0.05."""
    if adjusted_p > 0.05:
        return "ties"
    return "beats" if low > 0 else "below" if high < 0 else "ties"
