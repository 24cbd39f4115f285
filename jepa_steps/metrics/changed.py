"""Probes on changed samples: what an encoder's embeddings lose by a change, with intervals.

Shapes: n samples, m test samples, D width.
"""

from typing import Any, Protocol

import numpy as np

from ..data.splits import Splits
from .comparison import holm, intervals, sign_flip, verdict
from .probes import Split3, ridge_probe, standardise


class Resampling(Protocol):
    """Settings of intervals; see ``config.Evaluate``."""

    bootstrap: int
    seed: int


def class_targets(
    table: Splits, classes: list[Any] | None
) -> dict[str, tuple[np.ndarray, tuple[str, ...]]]:
    """(codes int64 (N,), names) of the label and of every target of classes that is no nuisance."""
    found = (
        {"label": (table.labels, tuple(map(str, classes or ())))} if (table.labels >= 0).any() else {}
    )
    for name, target in table.targets.items():
        if target.kind == "classes" and not target.nuisance:
            found[name] = (target.values, target.classes)
    return found


def probed(
    x: np.ndarray, known: list[np.ndarray], labels: list[np.ndarray], further: np.ndarray | None = None
) -> np.ndarray:
    """Classes that a ridge classifier predicts of the test samples, and of further ones after them.

    Args:
        x: embeddings (n, D). known: places in it of train, val and test; labels: their classes.
    """
    train, val, test = (x[part] for part in known)
    test = test if further is None else np.concatenate([test, further])
    parts = standardise(train.astype(np.float64), val, test)
    return ridge_probe(Split3(*parts, *labels))[0]


def accuracies(
    right: dict[str, np.ndarray], units: np.ndarray, settings: Resampling
) -> dict[str, dict[str, float | None]]:
    """Accuracy, low and high of each method, of 1 and 0 (m,) by method."""
    ends = intervals(np.stack(list(right.values())), units, settings.bootstrap, settings.seed)
    return {
        name: {"accuracy": float(share.mean()), **_ends(pair)}
        for (name, share), pair in zip(right.items(), ends, strict=True)
    }


def less(more: np.ndarray, fewer: np.ndarray, units: np.ndarray, settings: Resampling) -> dict[str, Any]:
    """How far one method is above another on the same samples: difference, low, high, p, units, n."""
    codes = np.unique(units, return_inverse=True)[1]
    return {
        "difference": float((more - fewer).mean()),
        **_ends(intervals((more - fewer)[None], units, settings.bootstrap, settings.seed)[0]),
        "p": sign_flip(np.bincount(codes, more - fewer), settings.seed),
        "units": len(np.unique(codes)),
        "n": len(more),
    }


def adjust(rows: list[dict[str, Any]]) -> None:
    """Add p adjusted for the number of comparisons, and the verdict, to each of them."""
    for row, adjusted in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = adjusted
        row["verdict"] = verdict(row["low"], row["high"], adjusted, row["units"])


def _ends(pair: np.ndarray) -> dict[str, float | None]:
    """The ends of an interval; None where a single unit says nothing."""
    low, high = (float(end) if np.isfinite(end) else None for end in pair)
    return {"low": low, "high": high}
