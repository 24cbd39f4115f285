"""Batches of cells as a pure function of their number.

Perturbed training cells are visited in one endless stream, epoch after epoch; each has a control drawn
anew. Rank r of R takes cells r, r + R, ... of the global batch.

Shapes: B cells of the global batch, b cells of this rank, G genes, N tokens, K context tokens, T target
tokens, S entries of a perturbation.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from ... import draws
from ...data.order import Order
from ...device import moved
from ...draws import evenly
from .components import principal_axes
from .encoding import UNKNOWN_SLOT, Padded, read_vocabulary
from .pairing import Pools, RandomPairing, TransportPairing, control_pools, mean_controls
from .ragged import densify
from .standardise import Standardisation, common_scale
from .store import ExpressionStore
from .thinning import Thinning

if TYPE_CHECKING:
    from ...engine.distributed import World

_CELLS, _AXES = 4096, 50  # training cells behind the axes on which transport measures, and how many


class Expression:
    """Standardised expression by cell number, on the device: what the encoder takes.

    Args:
        thinning: share of the counts that the context sees, None for all; seed: of their draw.
    """

    def __init__(
        self,
        store: ExpressionStore,
        device: torch.device,
        thinning: float | None = None,
        seed: int = 0,
    ):
        self._store, self._device = store, device
        self._thinning = None if thinning is None else Thinning(store, thinning, seed, device)
        self._standardise = Standardisation(store.mean, common_scale(store.std), device)

    def __call__(self, rows: np.ndarray) -> Tensor:
        """int64 (b,) -> float32 (b, G); ragged until they are on the device."""
        store = self._store
        if store.dense is None:
            return self._standardise(densify(*store.csr.ragged(rows), len(store.genes), self._device))
        return self.of(store.dense[rows])

    def views(self, epoch: np.ndarray, context: np.ndarray, target: np.ndarray) -> tuple[Tensor, Tensor]:
        """Context and target of pairs of cells int64 (b,), float32 (b, G) each: of thinned cells the
        first part of the one and the second of the other."""
        if self._thinning is None:
            first = self(context)
            return first, first if target is context else self(target)
        first, second = self._thinning(epoch, context)
        if target is not context:
            _, second = self._thinning(epoch, target)
        return self._standardise(first), self._standardise(second)

    def of(self, x: np.ndarray) -> Tensor:
        """Expression as stored, float32 (b, G) -> float32 (b, G)."""
        return self._standardise(torch.from_numpy(x))


class Perturbations:
    """The padded entries of every condition of a store.

    Args:
        unknown_share: share of the draws in which a gene of training takes the slot of the unknown, so
            that training says what a gene of which nothing is known does: the mean.
    """

    def __init__(self, store: ExpressionStore, unknown_share: float, seed: int):
        _, entries = read_vocabulary(store.perturbations)
        self.conditions = entries.padded(int(np.diff(entries.offsets).max()))
        self._share, self._stream = unknown_share, draws.key(seed, "unknown gene")

    def __call__(self, condition: np.ndarray, epoch: np.ndarray, rows: np.ndarray) -> Padded:
        """Entries of the conditions int64 (b,) of cells ``rows``; a function of (seed, epoch, row)."""
        code = self.conditions.take(condition)
        u = draws.uniform(self._stream, epoch, rows, code.slots.shape[1])
        hidden = (u < self._share) & (code.types >= 0)
        return code._replace(slots=np.where(hidden, UNKNOWN_SLOT, code.slots))


class PerturbationBatches:
    """Pairs of a control and a perturbed cell, and the perturbation: the conditional task.

    Args:
        size: B.
        tokens: N.
        unknown_share: as ``Perturbations`` says.
        control_share: share of the draws in which the perturbed cell gives way to a second control, and
            the condition to none, so that no perturbation means no change.
        pairing: what stands for a perturbed cell before the perturbation: a ``random`` control of its
            pool, their ``mean``, or one drawn by optimal ``transport``.
        thinning: as ``Expression`` takes it; not with pairing ``mean``.
    """

    def __init__(
        self,
        store: ExpressionStore,
        size: int,
        tokens: int,
        seed: int,
        world: "World",
        unknown_share: float = 0.1,
        control_share: float = 0.2,
        pairing: Literal["random", "mean", "transport"] = "random",
        thinning: float | None = None,
    ):
        self._store, self._size, self._tokens, self._world = store, size, tokens, world
        train = store.rows("train")
        self.rows = train[store.condition[train] > 0]
        self.expression = Expression(store, world.device, thinning, seed)
        self._order = Order(self.rows, seed)
        pools = control_pools(store.split, store.condition == 0, store.context, store.batch)
        self._pair = self._pairs(pairing, pools, seed)
        self._second = RandomPairing(pools, draws.key(seed, "second control"))
        self._control_share, self._stream = control_share, draws.key(seed, "control instead")
        self._perturbations = Perturbations(store, unknown_share, seed)

    def _pairs(self, pairing: str, pools: Pools, seed: int) -> Callable[..., tuple[Tensor, Tensor]]:
        """A function of epochs, cells and what is predicted, int64 (b,) each, to controls of these cells
        and what is predicted, float32 (b, G) each."""
        store, known = self._store, np.flatnonzero(self._store.split < 2)  # train and val
        if pairing == "mean":
            means = mean_controls(pools, known, store.samples)
            return lambda _, rows, targets: (
                self.expression.of(means[pools.pool[rows]]), self.expression(targets)
            )  # fmt: skip
        pair = RandomPairing(pools, seed)
        if pairing == "transport":
            perturbed = known[store.condition[known] > 0]
            pair = TransportPairing(pools, perturbed, store.condition, _principal(store), seed)
        return lambda epoch, rows, targets: self.expression.views(epoch, pair(epoch, rows), targets)

    def samples(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """(epoch, cell number), int64 (B,) each, of the global batch ``number``."""
        return self._order.batch(number, self._size)

    def __call__(self, number: int) -> tuple[Tensor, ...]:
        """What ``Jepa.forward`` takes: control float32 (b, G), context int64 (b, N), targets int64
        (b, 1, N), perturbed float32 (b, G), and the parts of ``Padded``."""
        mine = slice(self._world.rank, None, self._world.size)
        return self.of(*(part[mine] for part in self.samples(number)))

    def of(self, epoch: np.ndarray, rows: np.ndarray) -> tuple[Tensor, ...]:
        """The same of perturbed cells int64 (b,), as they are drawn in their epochs."""
        device = self._world.device
        no_change = draws.uniform(self._stream, epoch, rows, 1)[:, 0] < self._control_share
        targets = np.where(no_change, self._second(epoch, rows), rows)
        entries = self._perturbations(self._store.condition[targets], epoch, rows)
        every = torch.arange(self._tokens, device=device).expand(len(rows), -1)
        control, perturbed = self._pair(epoch, rows, targets)
        condition = (moved(part, device) for part in entries)
        return control, every, every[:, None], perturbed, *condition


def _principal(store: ExpressionStore) -> Callable[[np.ndarray], np.ndarray]:
    """A function of cells int64 (B,) to their places on the axes of training cells, float32 (B, k)."""
    axes, _ = principal_axes(store.csr.matrix(evenly(store.rows("train"), _CELLS)), _AXES)
    axes = axes.astype(np.float32)
    return lambda rows: store.csr.matrix(rows) @ axes


class CellBatches:
    """Cells of the training part, perturbed or not: modules of genes hidden, counts thinned, or both.

    Args:
        size: B.
        tokens: N, modules of genes.
        hidden: T, modules hidden in each cell, drawn anew at each visit; with 0 all tokens are context,
            and all are targets.
        thinning: as ``Expression`` takes it.
    """

    def __init__(
        self,
        store: ExpressionStore,
        size: int,
        tokens: int,
        hidden: int,
        seed: int,
        world: "World",
        thinning: float | None = None,
    ):
        self.rows, self._size, self._world = store.rows("train"), size, world
        self.expression = Expression(store, world.device, thinning, seed)
        self._order = Order(self.rows, seed)
        self._tokens, self._hidden, self._stream = tokens, hidden, draws.key(seed, "gene masks")

    def samples(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """(epoch, cell number), int64 (B,) each, of the global batch ``number``."""
        return self._order.batch(number, self._size)

    def __call__(self, number: int) -> tuple[Tensor, ...]:
        """What the context sees float32 (b, G), context int64 (b, N - T), targets int64 (b, 1, T), and
        what the target sees float32 (b, G)."""
        mine = slice(self._world.rank, None, self._world.size)
        return self.of(*(part[mine] for part in self.samples(number)))

    def of(self, epoch: np.ndarray, rows: np.ndarray) -> tuple[Tensor, ...]:
        """The same of cells int64 (b,), as they are drawn in their epochs."""
        context, target = self.expression.views(epoch, rows, rows)
        if not self._hidden:
            every = torch.arange(self._tokens, device=self._world.device).expand(len(rows), -1)
            return context, every, every[:, None], target
        u = draws.uniform(self._stream, epoch, rows, self._tokens)
        order = moved(np.argsort(u, 1, kind="stable"), self._world.device)
        hidden, visible = order[:, : self._hidden], order[:, self._hidden :]
        return context, visible.sort(1).values, hidden.sort(1).values[:, None], target
