"""Intervals where too few perturbations were held out to resample them: over the cells within each.

Shapes: n cells, P test perturbations, G genes, R resamples.
"""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from .... import draws
from ....metrics.comparison import FEWEST_GROUPS
from .pseudobulk import Expression
from .question import Values
from .verdicts import differences

_RESAMPLES = 500  # each makes all means and metrics anew


def within_perturbations(
    rows: list[dict],
    expression: Expression,
    codes: np.ndarray,
    predicted: dict[str, np.ndarray],
    score: Callable[[np.ndarray, np.ndarray], Values],
    model: str,
    seed: int,
) -> list[dict]:
    """The rows of ``verdicts.judge``; where there are fewer than six units, with intervals over cells.

    The cells of each test perturbation are resampled with replacement, their mean is what is observed,
    and predictions stay. Resampled means are noisier than the observed one, which shifts every metric,
    so the interval is the difference plus the percentiles of its resamples about their mean. It holds
    for these perturbations only. It is NaN for a metric that means do not suffice for.

    Args:
        expression: perturbed test cells (n, G), dense or CSR; codes: int64 (n,), which of the P.
        predicted: mean expression (P, G) by method, ``model`` among them.
        score: (predicted, observed) -> metrics by name, each (P,).

    Returns:
        the rows, with ``within``: whether the interval is over cells.
    """
    few = [row for row in rows if row["units"] < FEWEST_GROUPS]
    drawn: dict[str, list[float]] = {row["metric"]: [] for row in few}
    for number in range(_RESAMPLES if few else 0):
        observed = _resampled(expression, codes, draws.generator(seed, "cells within", number))
        ours = score(predicted[model], observed)
        theirs = {name: score(predicted[name], observed) for name in {r["best_baseline"] for r in few}}
        for row in (row for row in few if row["metric"] in ours):
            each = differences(row["metric"], ours, theirs[row["best_baseline"]])
            drawn[row["metric"]].append(np.nan if np.isnan(each).all() else np.nanmean(each))
    return [
        {**row, "within": row["metric"] in drawn, **_interval(row, drawn.get(row["metric"]))}
        for row in rows
    ]


def _resampled(expression: Expression, codes: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Mean (P, G) of as many cells of each perturbation as it has, drawn from its own."""
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes)
    size = sizes[codes[order]]
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    cells = order[first + generator.integers(0, size)]
    shares = sp.csr_array((1 / size, (codes[order], cells)), shape=(len(sizes), len(codes)))
    means = shares @ expression
    return means.toarray() if sp.issparse(means) else means


def _interval(row: dict, drawn: list[float] | None) -> dict[str, float]:
    if drawn is None:
        return {}
    if not np.isfinite(drawn).any():
        return {"low": np.nan, "high": np.nan}
    low, high = np.nanquantile(drawn, [0.025, 0.975]) - np.nanmean(drawn)
    return {"low": row["difference"] + float(low), "high": row["difference"] + float(high)}
