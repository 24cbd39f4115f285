"""What is trained on images: hidden blocks of tokens, or pooled views, are predicted."""

import numpy as np
from torch import Tensor

from ...data.masks import MultiBlockMasks
from ...device import moved
from ...engine.distributed import World
from ...engine.schedules import target_blocks
from .batches import Batches
from .jepa import image_jepa
from .settings import ImageJepa, fits_pixels
from .store import ImageStore


class ImageTask:
    """Batches of images with masks; see ``contract.Task``."""

    def __init__(self, train: ImageJepa, store: ImageStore, world: World):
        height, width, channels = store.images.shape[1:]
        fits_pixels(train.augment, store.manifest)
        self._train, self._device = train, world.device
        self.jepa = image_jepa(train, (height, width), channels).to(world.device)
        self._batches = Batches(train, store, self.jepa.encoder.grid, world)
        self._masks = MultiBlockMasks.of(train.masks, self.jepa.encoder.grid, train.seed)
        self.samples, self.inputs = self._batches.samples, self._batches.images
        self.rows, self.labels, self.validated = self._batches.rows, store.labels, store.rows

    def scheduled(self, step: int) -> dict[str, float]:
        """The target blocks of optimizer step ``step``, by their columns in metrics.csv."""
        return target_blocks(step, self._train.steps, self._train.masks)

    def batch(self, number: int, step: int) -> tuple[Tensor, ...]:
        """This rank's share of batch ``number`` with the masks of optimizer step ``step``."""
        now = self.scheduled(step)
        scale = (now["mask_scale_low"], now["mask_scale_high"])
        return self._batches(number, int(now["mask_blocks"]), scale)

    def fixed(self, number: int, rows: np.ndarray) -> tuple[Tensor, ...]:
        """Images ``rows``, plain, with the masks that batch ``number`` of a validation has."""
        masks = self._masks(number, np.zeros(len(rows), np.int64), rows)
        index = (moved(part, self._device) for part in (masks.context, masks.targets))
        return self.inputs(rows), *index


task = ImageTask
