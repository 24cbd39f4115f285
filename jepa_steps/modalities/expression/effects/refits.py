"""Shifts refitted in closed form on several spaces of cells: what the encoder adds is read off them.

The encoder's own are the model's answer; the same fit on spaces that no training has shaped (expression,
its principal components, the encoder's initial weights) are its floors.

Shapes: n cells, F values of a cell, P test perturbations, G genes.
"""

import numpy as np

from ..components import principal_axes
from ..held_out import HeldOut, features_of, names_of
from ..settings import ExpressionJepa
from ..store import ExpressionStore
from .predictor import Effects
from .readout import Readout, fit_readout
from .shifts import fit_shifts

_VALUES = 50_000_000  # of expression that are dense at once


def shifted(
    latents: np.ndarray, rows: np.ndarray, store: ExpressionStore, held_out: HeldOut
) -> np.ndarray:
    """Mean latents float64 (P, F) of the test perturbations, by shifts fitted on training cells ``rows``
    int64 (n,), whose latents (n, F) are given."""
    names, places = names_of(store), store.contexts
    conditions = [names[c] for c in store.condition[rows]]
    contexts = [places[k] for k in store.context[rows]]
    shifts = fit_shifts(latents, conditions, contexts, features_of(store))
    return shifts([names[c] for c in held_out.condition], [places[k] for k in held_out.context])


def refitted(
    latents: np.ndarray, rows: np.ndarray, store: ExpressionStore, held_out: HeldOut
) -> tuple[np.ndarray, Readout]:
    """(mean expression float64 (P, G) by refitted shifts, the readout that brought it there)."""
    readout = fit_readout(latents, store.csr.view(rows))
    return readout(shifted(latents, rows, store, held_out)), readout


def floors(
    train: ExpressionJepa, store: ExpressionStore, held_out: HeldOut, rows: np.ndarray
) -> dict[str, np.ndarray]:
    """Mean expression float64 (P, G) by the same fit without the trained encoder, by name.

    Args:
        rows: int64 (n,), the training cells of the encoder's own fit; of expression itself fewer, if
            these would be too much dense memory.
    """
    dense = rows[: max(2, _VALUES // len(store.genes))]
    axes, _ = principal_axes(store.csr.matrix(dense), train.model.dim)
    spaces = {
        "pca_shifts": store.csr.matrix(rows) @ axes,
        "untrained_shifts": Effects(train, None, store).latents(rows),
    }
    found = {name: refitted(z, rows, store, held_out)[0] for name, z in spaces.items()}
    return {"expression_shifts": shifted(store.samples(dense), dense, store, held_out), **found}
