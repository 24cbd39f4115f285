"""A model beside the best baseline and the ceiling, metric by metric, with a computed verdict.

Values are per perturbation, float64 (P,), as metrics.evaluate gives them.
"""

from collections.abc import Sequence

import numpy as np

from ....metrics.comparison import holm, intervals, sign_flip, verdict
from .metrics import METRICS, Metric, mean_over_perturbations

Values = dict[str, np.ndarray]


def judge(
    model: Values,
    baselines: dict[str, Values],
    ceiling: Values | None = None,
    units: Sequence | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> list[dict]:
    """One row a metric: the model, the best baseline on it, the ceiling, the verdict.

    Args:
        model: metric -> (P,); metrics not in METRICS are passed over.
        baselines: name -> the same.
        ceiling: the same, e.g. ceiling.attainable; metrics may be missing in it.
        units: P labels of what is resampled, e.g. the perturbation where rows are perturbation by
            context or by seed. Default: every row.

    Returns:
        rows with
        metric, n (perturbations), units;
        model, baseline, ceiling: means; best_baseline: its name, chosen by its mean on these very
        perturbations, which favours the baseline;
        difference, low, high: mean paired difference, positive where the model is better, and its
        95 % bootstrap interval over units (metrics.comparison.intervals; infinite with one unit, and
        of too few units ``few.within_perturbations`` gives another);
        p: two-sided, signs of the units' differences flipped (exact where 2^units is at most 10,000),
        p_holm: adjusted for the number of metrics;
        verdict: beats or below: the interval excludes 0 and p_holm < .05; ties: neither holds;
        undecided: one of the two, or fewer than six units, which cannot get below p = .06;
        gap_closed: difference / (ceiling - baseline); None without a ceiling above the baseline.

    An undefined correlation counts as the metric's chance value. Left out of a metric are perturbations
    that are undefined for every method, such as the only one of its context in discrimination, and
    those undefined for one method where the metric has no chance value.
    """
    rows = []
    for name in (m for m in METRICS if m in model):
        row = _compare(name, model, baselines, ceiling, units, resamples, seed)
        if row:
            rows.append(row)
    for row, adjusted in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = adjusted
        row["verdict"] = verdict(row["low"], row["high"], adjusted, row["units"])
    return rows


def _compare(
    name: str,
    model: Values,
    baselines: dict[str, Values],
    ceiling: Values | None,
    units: Sequence | None,
    resamples: int,
    seed: int,
) -> dict | None:
    metric = METRICS[name]
    ours = _filled(model[name], metric)
    theirs = {b: _filled(values[name], metric) for b, values in baselines.items()}
    defined = np.isfinite(np.stack([model[name], *(v[name] for v in baselines.values())])).any(0)
    keep = defined & np.isfinite(np.stack([ours, *theirs.values()])).all(0)
    if not keep.any() or not theirs:
        return None
    sign = 1.0 if metric.higher else -1.0
    best = max(theirs, key=lambda b: sign * theirs[b][keep].mean())
    difference = sign * (ours - theirs[best])[keep]
    codes = np.unique(np.arange(len(ours)) if units is None else units, return_inverse=True)[1][keep]
    top = gap = None
    if ceiling and name in ceiling:
        top = mean_over_perturbations(_filled(ceiling[name], metric)[keep])[0]
        gap = sign * (top - theirs[best][keep].mean())
    low, high = intervals(difference[None], codes, resamples, seed)[0]
    return {
        "metric": name,
        "n": int(keep.sum()),
        "units": len(np.unique(codes)),
        "model": float(ours[keep].mean()),
        "best_baseline": best,
        "baseline": float(theirs[best][keep].mean()),
        "ceiling": top,
        "difference": float(difference.mean()),
        "low": float(low),
        "high": float(high),
        "p": sign_flip(np.bincount(np.unique(codes, return_inverse=True)[1], difference), seed),
        "gap_closed": float(difference.mean() / gap) if gap and gap > 0 else None,
    }


def differences(name: str, model: Values, baseline: Values) -> np.ndarray:
    """Of one metric, float64 (P,), positive where the model is better; NaN where one is undefined and
    chance says nothing, or neither is defined."""
    metric = METRICS[name]
    sign = 1.0 if metric.higher else -1.0
    found = sign * (_filled(model[name], metric) - _filled(baseline[name], metric))
    return np.where(np.isnan(model[name]) & np.isnan(baseline[name]), np.nan, found)


def _filled(values: np.ndarray, metric: Metric) -> np.ndarray:
    return values if metric.chance is None else np.where(np.isnan(values), metric.chance, values)
