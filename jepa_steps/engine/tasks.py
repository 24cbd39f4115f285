"""What is trained on: a module and its batches, for images and for cells.

A task has: jepa, the module; rows, the sample numbers of an epoch; labels int64 (n,) of all samples, -1
for none; ``samples`` and ``batch``, which samples a batch holds and what ``Jepa.forward`` takes; and for
validation ``validated``, the sample numbers behind the loss of a part, ``fixed``, what ``Jepa.forward``
takes of given samples whenever it is asked, and ``inputs``, what an encoder takes of them.
"""

import numpy as np
import torch
from torch import Tensor

from ..config import ExpressionJepa, JepaRun, JepaTraining
from ..data.batches import Batches
from ..data.expression.batches import MaskedGeneBatches, PerturbationBatches
from ..data.expression.store import ExpressionStore
from ..data.masks import MultiBlockMasks
from ..data.prepared import Prepared
from ..data.store import Store
from ..model.expression import cell_jepa_of
from ..model.jepa import image_jepa
from . import schedules
from .distributed import World


def task_of(train: JepaRun, store: Prepared, world: World) -> "ImageTask | CellTask":
    """The task that the settings describe."""
    return (ImageTask if isinstance(train, JepaTraining) else CellTask)(train, store, world)


class ImageTask:
    """Hidden blocks of tokens, or pooled views, of images are predicted."""

    def __init__(self, train: JepaTraining, store: Store, world: World):
        size, _, channels = store.images.shape[1:]
        self._train, self._device = train, world.device
        self.jepa = image_jepa(train, size, channels).to(world.device)
        self._batches = Batches(train, store, self.jepa.encoder.grid, world)
        self._masks = MultiBlockMasks.of(train.masks, self.jepa.encoder.grid, train.seed)
        self.samples, self.inputs = self._batches.samples, self._batches.images
        self.rows, self.labels, self.validated = self._batches.rows, store.labels, store.rows

    def batch(self, number: int, step: int) -> tuple[Tensor, ...]:
        """This rank's share of batch ``number`` with the masks of optimizer step ``step``."""
        now = schedules.at(step, self._train)
        scale = (now["mask_scale_low"], now["mask_scale_high"])
        return self._batches(number, int(now["mask_blocks"]), scale)

    def fixed(self, number: int, rows: np.ndarray) -> tuple[Tensor, ...]:
        """Images ``rows``, plain, with the masks that batch ``number`` of a validation has."""
        masks = self._masks(number, np.zeros(len(rows), np.int64), rows)
        both = (torch.from_numpy(m).to(self._device) for m in (masks.context, masks.targets))
        return self.inputs(rows), *both


class CellTask:
    """Perturbed cells are predicted from controls, or hidden genes from visible ones."""

    def __init__(self, train: ExpressionJepa, store: ExpressionStore, world: World):
        self._store = store
        self.jepa = cell_jepa_of(train, store).to(world.device)
        tokens = self.jepa.encoder.grid[0]
        self._perturbed = train.task == "perturbation"
        if self._perturbed:
            how = (train.unknown_share, train.control_share, train.pairing)
            self._batches: PerturbationBatches | MaskedGeneBatches = PerturbationBatches(
                store, train.batch_size, tokens, train.seed, world, *how
            )
        else:
            self._batches = MaskedGeneBatches(
                store, train.batch_size, tokens, train.hidden, train.seed, world
            )
        self.rows, self.samples = self._batches.rows, self._batches.samples
        self.inputs, self.labels = self._batches.expression, _comparable(store)

    def validated(self, part: str) -> np.ndarray:
        """Cells of a part; only perturbed ones where these are predicted."""
        rows = self._store.rows(part)
        return rows[self._store.condition[rows] > 0] if self._perturbed else rows

    def batch(self, number: int, step: int) -> tuple[Tensor, ...]:
        """This rank's share of batch ``number``."""
        return self._batches(number)

    def fixed(self, number: int, rows: np.ndarray) -> tuple[Tensor, ...]:
        """Cells ``rows`` as in the first epoch: the same controls, or the same genes hidden."""
        return self._batches.of(np.zeros(len(rows), np.int64), rows)


def _comparable(store: ExpressionStore) -> np.ndarray:
    """Conditions as labels; none where val has conditions that training has not."""
    train, val = (np.unique(store.condition[store.rows(part)]) for part in ("train", "val"))
    return store.condition if np.isin(val, train).all() else np.full(len(store), -1)
