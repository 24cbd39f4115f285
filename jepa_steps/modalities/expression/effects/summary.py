"""Values of many perturbations as one line a method: mean, how many, interval."""

from collections.abc import Sequence

import numpy as np

from ....metrics.comparison import intervals
from .metrics import mean_over_perturbations

Values = dict[str, np.ndarray]


def summary(
    scores: dict[str, Values], units: Sequence, resamples: int, seed: int
) -> dict[str, dict[str, dict[str, float | int | None]]]:
    """Method -> metric -> mean over the perturbations where it is defined, n of them, low and high.

    Args:
        scores: method -> metric -> float64 (P,).
        units: P labels of what is resampled: the perturbation, where it stands in several contexts.

    Returns:
        low, high: 95 % bootstrap interval over units (``comparison.intervals``); None where nothing is
        defined or there is one unit.
    """
    codes = np.unique(units, return_inverse=True)[1]
    return {
        method: {metric: _line(v, codes, resamples, seed) for metric, v in values.items()}
        for method, values in scores.items()
    }


def _line(values: np.ndarray, codes: np.ndarray, resamples: int, seed: int) -> dict:
    mean, n = mean_over_perturbations(values)
    if not n:
        return {"mean": None, "n": 0, "low": None, "high": None}
    known = ~np.isnan(values)
    own = np.unique(codes[known], return_inverse=True)[1]
    low, high = intervals(values[known][None], own, resamples, seed)[0]
    return {"mean": mean, "n": n, "low": finite(low), "high": finite(high)}


def finite(value: float) -> float | None:
    """None for what JSON cannot say: an interval of one unit is infinite."""
    return float(value) if np.isfinite(value) else None


def counted(number_of: dict[str, int]) -> str:
    """Perturbations by context, as text."""
    distinct, by_context = number_of["distinct"], number_of["by_context"]
    return f"{distinct} perturbations" + (
        f", {by_context} with their contexts" if by_context > distinct else ""
    )
