"""Can a prediction tell its own perturbation from the others? Discrimination and retrieval.

Each prediction's distances to all observed profiles are ranked; what counts is where its own stands.
Ties get half credit, so a guess scores what chance scores, exactly and for every number of
perturbations: a prediction that is the same for all gives a mean discrimination of .5.

Shapes: P perturbations, D genes or latent dimensions. Not told apart across groups (contexts).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....errors import InputError

_TIE = 1e-9  # distances that differ by less, relative to the larger, are equal
_PARALLEL = 1e-12  # cosine distances below this are rounding


@dataclass(frozen=True)
class Standing:
    """Where each prediction's own profile stands among its candidates, all float64 (P,).

    closer: others that are closer. tied: others at the same distance. candidates: own and others.
    NaN where the row has values that are not finite.
    """

    closer: np.ndarray
    tied: np.ndarray
    candidates: np.ndarray


def standing(
    predicted: np.ndarray,
    observed: np.ndarray,
    groups: Sequence | None = None,
    distance: str = "l1",
) -> Standing:
    """Rank the observed profiles (P, D) by distance to each predicted one (P, D).

    Args:
        groups: P labels; candidates are the observed profiles of the same group. None: all.
        distance: l1, l2 or cosine; the cosine distance to or from a zero vector is 1.
    """
    if predicted.shape != observed.shape or predicted.ndim != 2:
        raise InputError(
            f"predictions have shape {predicted.shape}, observations {observed.shape}; expected the "
            "same perturbations by features"
        )
    finite = np.isfinite(predicted).all(1) & np.isfinite(observed).all(1)
    labels = np.zeros(len(finite), int) if groups is None else np.unique(groups, return_inverse=True)[1]
    closer, tied, candidates = np.full((3, len(finite)), np.nan)
    for group in np.unique(labels):
        rows = np.flatnonzero((labels == group) & finite)
        if not len(rows):
            continue
        d = _distances(predicted[rows], observed[rows], distance)
        own = np.diagonal(d)[:, None]
        equal = np.abs(d - own) <= _TIE * np.maximum(d, own)
        closer[rows] = ((d < own) & ~equal).sum(1)
        tied[rows] = equal.sum(1) - 1
        candidates[rows] = len(rows)
    return Standing(closer, tied, candidates)


def discrimination(
    predicted: np.ndarray,
    observed: np.ndarray,
    groups: Sequence | None = None,
    distance: str = "l1",
) -> np.ndarray:
    """Share of the other perturbations that are farther from the prediction than its own.

    (farther + tied / 2) / (N - 1) with N candidates: 1 is perfect, .5 chance; float64 (P,), NaN
    where N = 1. With l1 this is the perturbation discrimination score of the Virtual Cell Challenge
    (Roohani et al. 2025) and of cell-eval, which divide by N and give ties no credit, so that a
    constant prediction of five perturbations scores .6 there. With l2 it is the centroid accuracy of
    Systema (Viñas Torné et al. 2025).

    cell-eval leaves out the perturbed gene itself, whose own change gives the perturbation away; drop
    the columns of all test genes before the call for that (the same ones for every row, or a constant
    prediction is not at .5).
    """
    s = standing(predicted, observed, groups, distance)
    others = np.where(s.candidates > 1, s.candidates - 1, np.nan)
    return (others - s.closer - s.tied / 2) / others


def retrieval(s: Standing, ks: Sequence[int] = (1, 5, 10)) -> dict[str, np.ndarray]:
    """Per perturbation (P,): "rank" (1 = best), "reciprocal_rank" and "recall@k".

    Own among ties: the middle rank, and the expectation over random tie breaking of the other two.
    """
    places = np.arange(1, int(np.nanmax(s.candidates, initial=1)) + 1)
    harmonic = np.concatenate([[0.0], np.cumsum(1 / places)])
    known = ~np.isnan(s.closer)
    first, last = (np.where(known, x, 0).astype(int) for x in (s.closer, s.closer + s.tied + 1))
    values = {
        "rank": s.closer + s.tied / 2 + 1,
        "reciprocal_rank": (harmonic[last] - harmonic[first]) / (s.tied + 1),
    }
    return values | {f"recall@{k}": ((k - s.closer) / (s.tied + 1)).clip(0, 1) for k in ks}


def retrieval_summary(s: Standing, ks: Sequence[int] = (1, 5, 10)) -> dict[str, float | int]:
    """Mean reciprocal rank, median rank and recall at k, each beside what chance gives.

    Chance with N candidates: H_N / N, (N + 1) / 2 and min(k / N, 1); averaged (median: the median)
    over perturbations. n counts the perturbations.
    """
    values = {name: v[~np.isnan(v)] for name, v in retrieval(s, ks).items()}
    n = s.candidates[~np.isnan(s.candidates)]
    if not len(n):
        raise InputError("retrieval: no perturbation with finite prediction and observation")
    summary = {
        "n": len(n),
        "mrr": float(values["reciprocal_rank"].mean()),
        "mrr_chance": float(np.mean([np.mean(1 / np.arange(1, m + 1)) for m in n])),
        "median_rank": float(np.median(values["rank"])),
        "median_rank_chance": float(np.median((n + 1) / 2)),
    }
    for k in ks:
        summary[f"recall@{k}"] = float(values[f"recall@{k}"].mean())
        summary[f"recall@{k}_chance"] = float(np.minimum(k / n, 1).mean())
    return summary


def _distances(a: np.ndarray, b: np.ndarray, distance: str) -> np.ndarray:
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if distance == "cosine":
        d = 1 - _unit(a) @ _unit(b).T
        return np.where(d > _PARALLEL, d, 0)
    names = {"l1": "cityblock", "l2": "euclidean"}
    if distance not in names:
        raise InputError(f"distance: found {distance!r}, expected l1, l2 or cosine")
    from scipy.spatial.distance import cdist  # takes .2 s, and METRICS are names to most experiments

    return cdist(a, b, names[distance])


def _unit(x: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(norm > 0, norm, 1)
