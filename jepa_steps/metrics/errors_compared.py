"""Errors of predictions from an encoder beside those of the best prediction without one, with a computed
verdict.

Shapes: n test samples.
"""

import numpy as np

from .comparison import FEWEST_GROUPS, holm, intervals, sign_flip, verdict

Units = dict[str, np.ndarray]
Scores = dict[str, dict[str, np.ndarray]]
"""Method -> column (such as metric and horizon) -> float64 (n,), NaN where it cannot be measured."""


def judge(
    scores: Scores, model: str, baselines: list[str], units: Units, resamples: int, seed: int
) -> list[dict]:
    """A row per column of ``units``: the model, the best baseline on it, the difference with its
    interval, a verdict.

    Args:
        units: column -> int64 (n,), what is resampled: stretches of time, series or videos, as samples
            of one rise and fall together (a block bootstrap).

    Returns:
        rows with column, n, units, model, best_baseline, baseline, difference (positive where the
        model's error is lower), low, high (None where too few units say nothing), p, p_holm, verdict:
        beats, ties, below or undecided as ``metrics.comparison.verdict`` has it. The best baseline is
        chosen by its mean on these samples, which favours it.
    """
    rows = [
        _compare(scores, model, baselines, column, codes, resamples, seed)
        for column, codes in units.items()
    ]
    for row, adjusted in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = adjusted
        row["verdict"] = verdict(row["low"], row["high"], adjusted, row["units"])
    return rows


def _compare(
    scores: Scores, model: str, baselines: list[str], column: str, units: np.ndarray,
    resamples: int, seed: int,
) -> dict:  # fmt: skip
    known = np.isfinite(scores[model][column])
    ours = scores[model][column][known]
    best = min(baselines, key=lambda name: scores[name][column][known].mean())
    theirs = scores[best][column][known]
    codes = np.unique(units[known], return_inverse=True)[1]
    low, high = intervals((theirs - ours)[None], codes, resamples, seed)[0]
    count = int(codes.max()) + 1
    decided = count >= FEWEST_GROUPS
    return {
        "column": column,
        "n": int(known.sum()),
        "units": count,
        "model": float(ours.mean()),
        "best_baseline": best,
        "baseline": float(theirs.mean()),
        "difference": float((theirs - ours).mean()),
        "low": float(low) if decided else None,
        "high": float(high) if decided else None,
        "p": sign_flip(np.bincount(codes, theirs - ours), seed),
    }


def summary(values: np.ndarray, units: np.ndarray, resamples: int, seed: int) -> dict:
    """Mean over the samples where it is defined, n of them, and its 95 % interval over units."""
    known = np.isfinite(values)
    codes = np.unique(units[known], return_inverse=True)[1]
    low, high = intervals(values[known][None], codes, resamples, seed)[0]
    finite = [float(v) if np.isfinite(v) else None for v in (low, high)]
    return {
        "mean": float(values[known].mean()),
        "n": int(known.sum()),
        "low": finite[0],
        "high": finite[1],
    }
