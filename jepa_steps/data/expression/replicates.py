"""Cells of one condition, as views of one thing: what LiDAR and alignment compare in a screen."""

import numpy as np

from .. import counter
from .store import ExpressionStore


def replicates(store: ExpressionStore, views: int, most: int) -> np.ndarray:
    """Training cells int64 (n, views): a row holds different cells of one condition and context.

    A condition stands in one row for each context where it has enough cells; of more than ``most`` such
    rows, some are drawn.
    """
    train = store.rows("train")
    train = counter.generator(0, "replicates").permutation(train)
    unit = store.condition[train] * len(store.contexts) + store.context[train]
    order = np.argsort(unit, kind="stable")
    runs = np.split(train[order], np.flatnonzero(np.diff(unit[order])) + 1)
    rows = np.array([run[:views] for run in runs if len(run) >= views], np.int64).reshape(-1, views)
    chosen = counter.generator(0, "replicated conditions").permutation(len(rows))[:most]
    return rows[np.sort(chosen)]
