"""Training batches of images as a pure function of their number; ``data.order`` tells which samples.

Shapes: B samples of the global batch, b samples of this rank, H x W x C pixels, K context tokens,
M target blocks, T tokens per block.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...data.masks import MultiBlockMasks
from ...data.order import Order
from ...device import moved, resident
from ...model.augment import Augmentation
from ...model.pixels import pixels_for
from .encoder import describe
from .reader import Reader
from .settings import ImageJepa
from .store import ImageStore

if TYPE_CHECKING:
    from ...engine.distributed import World


class Images:
    """Normalised images by sample number, on the device.

    The whole training set moves to a GPU once if it takes less than a quarter of its memory; otherwise
    rows are read for every batch, on an accelerator while it is busy with the last one.
    """

    def __init__(self, train: ImageJepa, store: ImageStore, device: torch.device):
        self._images, self._device = store.images, device
        self._reader = None
        self.normalise = pixels_for(describe(train, store), device)
        self._resident = None
        if device.type == "cuda":
            room = torch.cuda.get_device_properties(device).total_memory / 4
            if store.images.nbytes < room:
                sixteen = store.images.dtype == np.uint16  # see ``model.pixels.bits``
                stored = store.images.view(np.int16) if sixteen else store.images
                self._resident = resident(stored, device)
        if device.type != "cpu" and self._resident is None:
            self._reader = Reader(store.images)

    def ahead(self, index: np.ndarray) -> None:
        """Begin to read samples int64 (b,) that are asked for next, where that takes time."""
        if self._reader is not None:
            self._reader.ahead(index)

    def __call__(self, index: np.ndarray) -> Tensor:
        """int64 (b,) -> float32 (b, C, H, W)."""
        if self._resident is not None:
            rows = self._resident[moved(index, self._device)]
            return self.normalise(rows.view(torch.uint16) if self._images.dtype == np.uint16 else rows)
        read = self._images.__getitem__ if self._reader is None else self._reader
        return self.normalise(torch.from_numpy(read(index)))


class Batches:
    """Augmented images with their context and target masks, this rank's share of each batch.

    Rank r of R takes samples r, r + R, ... of the global batch, so that the samples and their draws
    do not depend on R.

    Args:
        train: settings of the run.
        store: prepared data.
        grid: tokens (rows, columns) of the encoder.
        world: this process among the ranks.
    """

    def __init__(self, train: ImageJepa, store: ImageStore, grid: tuple[int, int], world: "World"):
        self.rows, self._size, self._world = store.rows("train"), train.batch_size, world
        self.images = Images(train, store, world.device)
        self._order = Order(self.rows, train.seed)
        self._masks = MultiBlockMasks.of(train.masks, grid, train.seed)
        purposes = ["augment"] + ["augment-target"] * (train.augment.target == "own")
        self._augment = [
            Augmentation(train.augment, train.seed, self.images.normalise, purpose)
            for purpose in purposes
        ]

    def samples(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """(epoch, sample number), int64 (B,) each, of the global batch ``number``."""
        return self._order.batch(number, self._size)

    def __call__(self, number: int, blocks: int, scale: tuple[float, float]) -> tuple[Tensor, ...]:
        """Images float32 (b, C, H, W), context int64 (b, K), targets int64 (b, M, T); where the target
        has an augmentation of its own, the images so augmented as a fourth.

        Args:
            number: which batch of the stream.
            blocks: target blocks M.
            scale: range of the share of the tokens that a block covers.
        """
        world = self._world
        mine = slice(world.rank, None, world.size)
        epoch, index = (part[mine] for part in self.samples(number))
        masks = self._masks.with_targets(blocks, scale)
        visible, targets = masks.visible(number, epoch, index)
        length = world.smallest(int(visible.sum(1).min()))
        context = masks.context(visible, length, number, epoch, index)
        plain = self.images(index)
        self.images.ahead(self.samples(number + 1)[1][mine])
        x, *target_view = (augment(plain, epoch, index) for augment in self._augment)
        masks = (moved(part, world.device) for part in (context, targets))
        return x, *masks, *target_view
