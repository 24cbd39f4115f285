"""What is trained on time series: hidden time, the future or another view is predicted."""

import numpy as np
from torch import Tensor

from ...engine.distributed import World
from ...engine.schedules import target_blocks
from .batches import SeriesBatches
from .jepa import series_jepa
from .store import SeriesStore
from .training import SeriesJepa


class SeriesTask:
    """Batches of time series; see ``contract.Task``."""

    def __init__(self, train: SeriesJepa, store: SeriesStore, world: World):
        self._train = train
        self.jepa = series_jepa(train, store).to(world.device)
        self._batches = SeriesBatches(train, store, world.device, world)
        self.samples, self.inputs = self._batches.samples, self._batches.inputs
        self.rows, self.labels, self.validated = self._batches.rows, store.labels, store.rows

    def scheduled(self, step: int) -> dict[str, float]:
        """The target blocks of optimizer step ``step``, by their columns in metrics.csv."""
        if self._train.task == "views":
            return {}
        return target_blocks(step, self._train.steps, self._train.masks)

    def batch(self, number: int, step: int) -> tuple[Tensor, ...]:
        """This rank's share of batch ``number`` with the target blocks of optimizer step ``step``."""
        now = self.scheduled(step)
        scale = (now.get("mask_scale_low", 0.0), now.get("mask_scale_high", 0.0))
        return self._batches(number, int(now.get("mask_blocks", 1)), scale)

    def fixed(self, number: int, rows: np.ndarray) -> tuple[Tensor, ...]:
        """Samples ``rows`` with the masks or variations that they have at every validation."""
        masks = self._train.masks
        return self._batches.of(number, np.zeros(len(rows), np.int64), rows, masks.blocks, masks.scale)


task = SeriesTask
