"""A trained predictor's answer in units of expression, beside what it says in its own space.

The predictor's is a control cell plus the readout of (prediction under the perturbation - prediction
under none): the readout then need not be right about the control, only about the change. Beside it
stands the refit: shifts fitted anew in closed form with the encoder frozen, as a linear probe is.

Shapes: P test perturbations, G genes, F values of a cell in target space, k principal axes.
"""

from dataclasses import dataclass

import numpy as np

from ....draws import evenly
from ..held_out import HeldOut
from ..store import ExpressionStore
from .predictor import Effects
from .refits import refitted

_INPUTS, _CONDITIONS = 64, 32  # predictions that are compared across conditions


@dataclass(frozen=True)
class Answer:
    """Attributes:
    refitted: float64 (P, G), mean expression by refitted shifts.
    effects: float64 (P, G), the predictor's mean change of expression against control.
    cells: for each of the P, float64 (controls, k): controls and their predicted changes, projected.
    controls: for each of the P, float64 (controls, k): the same without a change.
    latents: float64 (P, F), mean predictions.
    across: float32 (n, q, F), predictions for n controls under q conditions of training.
    targets, conditions: float32 (m, F) latents of perturbed training cells and int64 (m,) conditions.
    readout: how it was fitted, for the report.
    """

    refitted: np.ndarray
    effects: np.ndarray
    cells: list[np.ndarray]
    controls: list[np.ndarray]
    latents: np.ndarray
    across: np.ndarray
    targets: np.ndarray
    conditions: np.ndarray
    readout: dict[str, object]


def answer(
    effects: Effects,
    store: ExpressionStore,
    held_out: HeldOut,
    axes: np.ndarray,
    controls: int,
    readout_cells: int,
    seed: int,
) -> Answer:
    """Ask for every test perturbation in its context.

    Args:
        axes: float64 (G, k). controls, readout_cells: at most so many cells. seed: of their choice.
    """
    rows = held_out.sample(readout_cells, seed)
    z = effects.latents(rows)
    means, readout = refitted(z, rows, store, held_out)
    pools = {
        int(c): held_out.controls(store, int(c), controls, seed) for c in np.unique(held_out.context)
    }
    unchanged = {c: effects.predicted(pool, 0) for c, pool in pools.items()}
    start = {c: store.csr.matrix(pool) @ axes for c, pool in pools.items()}
    changes, cells, latents = [], [], []
    for condition, context in zip(held_out.condition.tolist(), held_out.context.tolist(), strict=True):
        predicted = effects.predicted(pools[context], condition)
        change = (predicted - unchanged[context]).astype(np.float64)
        latents.append(predicted.mean(0, dtype=np.float64))
        changes.append(change.mean(0) @ readout.coefficients)
        cells.append(start[context] + change @ (readout.coefficients @ axes))
    perturbed = store.condition[rows] > 0
    told = evenly(np.unique(store.condition[rows[perturbed]]), _CONDITIONS)
    some = evenly(pools[int(held_out.context[0])], _INPUTS)
    return Answer(
        means,
        np.stack(changes),
        cells,
        [start[int(c)] for c in held_out.context],
        np.stack(latents),
        np.stack([effects.predicted(some, int(c)) for c in told], 1),
        z[perturbed],
        store.condition[rows[perturbed]],
        {
            "alpha": readout.alpha,
            "cells": len(rows),
            "values": z.shape[1],
            "tokens": "mean" if effects.pooled else "all",
        },
    )


def moved(cells: list[np.ndarray], shifts: np.ndarray) -> list[np.ndarray]:
    """Cells of each of the P, float64 (n, k), moved by its shift (P, k)."""
    return [each + shift for each, shift in zip(cells, shifts, strict=True)]
