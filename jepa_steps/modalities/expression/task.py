"""What is trained on cells: perturbed cells, hidden genes or other counts are predicted."""

import numpy as np
from torch import Tensor

from ...engine.distributed import World
from .batches import CellBatches, PerturbationBatches
from .jepa import jepa_for
from .settings import ExpressionJepa
from .store import ExpressionStore


class CellTask:
    """Perturbed cells are predicted from controls, hidden genes from visible ones, or counts of a cell
    from its other counts; see ``contract.Task``."""

    def __init__(self, train: ExpressionJepa, store: ExpressionStore, world: World):
        self._store = store
        self.jepa = jepa_for(train, store).to(world.device)
        tokens = self.jepa.encoder.tokens
        self._perturbed = train.task == "perturbation"
        if self._perturbed:
            how = (train.unknown_share, train.control_share, train.pairing, train.thinning)
            self._batches: PerturbationBatches | CellBatches = PerturbationBatches(
                store, train.batch_size, tokens, train.seed, world, *how
            )
        else:
            self._batches = CellBatches(
                store, train.batch_size, tokens, train.hidden, train.seed, world, train.thinning
            )
        self.rows, self.samples = self._batches.rows, self._batches.samples
        self.inputs, self.labels = self._batches.expression, _comparable(store)

    def validated(self, part: str) -> np.ndarray:
        """Cells of a part; only perturbed ones where these are predicted."""
        rows = self._store.rows(part)
        return rows[self._store.condition[rows] > 0] if self._perturbed else rows

    def scheduled(self, step: int) -> dict[str, float]:
        """Nothing of the task changes over training."""
        return {}

    def batch(self, number: int, step: int) -> tuple[Tensor, ...]:
        """This rank's share of batch ``number``."""
        return self._batches(number)

    def fixed(self, number: int, rows: np.ndarray) -> tuple[Tensor, ...]:
        """Cells ``rows`` as in the first epoch: the same controls, hidden genes and counts."""
        return self._batches.of(np.zeros(len(rows), np.int64), rows)


def _comparable(store: ExpressionStore) -> np.ndarray:
    """Conditions as labels; none where val has conditions that training has not."""
    train, val = (np.unique(store.condition[store.rows(part)]) for part in ("train", "val"))
    return store.condition if np.isin(val, train).all() else np.full(len(store), -1)


task = CellTask
