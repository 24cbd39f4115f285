"""Cells of one condition, as views of one thing: what LiDAR and alignment compare in a screen.

Shapes: n conditions by context, q views, D width.
"""

from collections.abc import Sequence

import numpy as np

from ... import draws
from ...config import Embed
from ...model.export import Encoder
from .store import ExpressionStore

WHAT = "cells of one condition"


def views(
    encoders: Sequence[Encoder], store: ExpressionStore, settings: Embed
) -> tuple[np.ndarray, np.ndarray]:
    """(embeddings float32 (stages, n, q, D) of q training cells of each condition, their rows (n,
    q))."""
    rows = replicates(store, settings.views, settings.view_samples)
    if not rows.size:
        return np.empty((len(encoders), 0, 0, 1), np.float32), rows
    found = [encoder.embedded(store, rows.ravel(), settings) for encoder in encoders]
    return np.stack(found).reshape(len(encoders), *rows.shape, -1), rows


def replicates(store: ExpressionStore, views: int, most: int) -> np.ndarray:
    """Training cells int64 (n, views): a row holds different cells of one condition and context.

    A condition stands in one row for each context where it has enough cells; of more than ``most`` such
    rows, some are drawn.
    """
    train = store.rows("train")
    train = draws.generator(0, "replicates").permutation(train)
    unit = store.condition[train] * len(store.contexts) + store.context[train]
    order = np.argsort(unit, kind="stable")
    runs = np.split(train[order], np.flatnonzero(np.diff(unit[order])) + 1)
    rows = np.array([run[:views] for run in runs if len(run) >= views], np.int64).reshape(-1, views)
    chosen = draws.generator(0, "replicated conditions").permutation(len(rows))[:most]
    return rows[np.sort(chosen)]
