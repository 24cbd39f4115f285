"""What is trained on videos: hidden tubelets, or later ones, are predicted."""

import numpy as np
from torch import Tensor

from ...engine.distributed import World
from .batches import ClipBatches
from .jepa import video_jepa
from .store import VideoStore
from .training import VideoJepa


class VideoTask:
    """Batches of clips with what is hidden of them; see ``contract.Task``."""

    def __init__(self, train: VideoJepa, store: VideoStore, world: World):
        self._last = train.steps - 1
        self.jepa = video_jepa(train, store).to(world.device)
        self._batches = ClipBatches(train, store, self.jepa.encoder.grid, world)
        self.samples, self.inputs = self._batches.samples, self._batches.clips
        self.batch, self.scheduled = self._batches, self._batches.masks.scheduled
        self.rows, self.labels, self.validated = self._batches.rows, store.labels, store.rows

    def fixed(self, number: int, rows: np.ndarray) -> tuple[Tensor, ...]:
        """Clips ``rows``, plain, with the masks that batch ``number`` of a validation has."""
        return self._batches.plain(number, self._last, rows)


task = VideoTask
