"""Training batches of time series as a pure function of their number.

Shapes: B samples of the global batch, b samples of this rank, L time steps, C channels, N tokens, K
context tokens, M target blocks, T tokens per block.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ... import draws
from ...data.order import Order
from ...device import moved
from ...errors import InputError
from .augment import Augmentation
from .encoder import describe_inputs, inputs
from .masks import TimeMasks
from .patches import grid, patch_length
from .store import SeriesStore
from .training import SeriesJepa

if TYPE_CHECKING:
    from ...engine.distributed import World


class SeriesBatches:
    """Samples and what is hidden of them, or two variations of each; this rank's share of each batch.

    Rank r of R takes samples r, r + R, ... of the global batch, so that the samples and their draws do
    not depend on R.
    """

    def __init__(
        self, train: SeriesJepa, store: SeriesStore, device: torch.device, world: "World | None" = None
    ):
        description = describe_inputs(store)
        self.rows, self._size = store.rows("train"), train.batch_size
        self._store, self._device, self._world = store, device, world
        self._order, self._inputs = Order(self.rows, train.seed), inputs(description, device)
        self._task, self._hidden = train.task, train.augment.hidden
        self._patch = patch_length(train.model, store.windows.longest)
        self._grid = grid(train.model, *store.shape)
        self._channels = self._grid[0] if len(self._grid) > 1 else 1
        self._masks = TimeMasks(
            train.masks, train.seed, self._channels, self._grid[-1], train.task == "future"
        )
        self._refuse_too_few_tokens(train)
        self._views = [Augmentation(train.augment, train.seed, f"view {i}") for i in (1, 2)]
        self._seen = draws.key(train.seed, "seen of a view")

    def _refuse_too_few_tokens(self, train: SeriesJepa) -> None:
        """Raises InputError where a sample has no token to hide beside one to see."""
        parts = np.concatenate([self._store.rows(part) for part in ("train", "val")])
        shortest = int(self._store.windows.places(parts)[1].min())
        if train.task != "views" and shortest <= self._patch:
            raise InputError(
                f"train.model.patch_length: tokens of {self._patch} steps leave one token of the "
                f"shortest sample, of {shortest} steps, expected at least 2 with task {train.task}; "
                "take shorter tokens, or task views"
            )

    def samples(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """(epoch, sample number), int64 (B,) each, of the global batch ``number``."""
        return self._order.batch(number, self._size)

    def inputs(self, rows: np.ndarray) -> Tensor:
        """Normalised values float32 (b, L, C) of samples int64 (b,)."""
        return self._inputs(moved(self._store.samples(rows), self._device))

    def __call__(self, number: int, blocks: int, scale: tuple[float, float]) -> tuple[Tensor, ...]:
        """What ``Jepa.forward`` takes of batch ``number``: values (b, L, C), context int64 (b, K),
        targets int64 (b, M, T), and with task views the other view."""
        mine, smallest = slice(None), int
        if self._world is not None:
            mine, smallest = slice(self._world.rank, None, self._world.size), self._world.smallest
        epoch, rows = (part[mine] for part in self.samples(number))
        return self.of(number, epoch, rows, blocks, scale, smallest)

    def of(
        self, number: int, epoch: np.ndarray, rows: np.ndarray, blocks: int,
        scale: tuple[float, float], smallest: Callable[[int], int] = int,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        """The same of samples int64 (b,), as they are drawn in their epochs. ``smallest`` gives the
        least of a number over the ranks that share the batch."""
        steps, x = self._store.windows.places(rows)[1], self.inputs(rows)
        if self._task == "views":
            first, second = (view(x, epoch, rows, steps) for view in self._views)
            context = self._seen_tokens(epoch, rows)
            return first, context, context[:, None], second
        tokens = -(-steps // self._patch)
        least = smallest(int(tokens.min()))
        visible, targets = self._masks.visible(number, epoch, rows, tokens, least, blocks, scale)
        length = smallest(int(visible.sum(1).min()))
        context = self._masks.context(visible, length, epoch, rows)
        index = (self._masks.over_channels(part) for part in (context, targets))
        return x, *(moved(part, self._device) for part in index)

    def _seen_tokens(self, epoch: np.ndarray, rows: np.ndarray) -> Tensor:
        """Tokens of the first view that its encoder sees, int64 (b, K): all, or a random share."""
        time = self._grid[-1]
        seen = max(1, time - round(self._hidden * time))
        order = np.argsort(draws.uniform(self._seen, epoch, rows, time), 1, kind="stable")[:, :seen]
        return moved(self._masks.over_channels(np.sort(order, 1)), self._device)
