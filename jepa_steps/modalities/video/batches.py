"""Training batches of clips as a pure function of their number.

Shapes: b samples of this rank, T frames of C channels and H x W pixels, K context tokens, M target
blocks, T tokens per block.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...data.order import Order
from ...device import moved, resident
from ...model.augment import Augmentation
from .encoder import describe, inputs
from .masks import ClipMasks
from .store import VideoStore
from .training import VideoJepa

if TYPE_CHECKING:
    from ...engine.distributed import World


class Clips:
    """Normalised clips by sample number, on the device.

    All frames move to a GPU once if they take less than a quarter of its memory; otherwise clips are
    read for every batch.
    """

    def __init__(self, train: VideoJepa, store: VideoStore, device: torch.device):
        self._store, self._device = store, device
        self._inputs = inputs(describe(train, store), device)
        self.normalise = self._inputs.normalise
        self._resident = None
        if device.type == "cuda":
            room = torch.cuda.get_device_properties(device).total_memory / 4
            if store.frames.nbytes < room:
                self._resident = resident(store.frames, device)

    def __call__(self, rows: np.ndarray) -> Tensor:
        """int64 (b,) -> float32 (b, T, C, H, W)."""
        if self._resident is None:
            return self._inputs(moved(self._store.samples(rows), self._device))
        places = self._store.windows.places(rows)[0][:, None] + np.arange(self._store.shape[0])
        return self._inputs(self._resident[moved(places, self._device)])


class ClipAugmentation:
    """The augmentation of images, the same for all frames of a clip."""

    def __init__(self, train: VideoJepa, clips: Clips, purpose: str):
        geometry = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0}
        still = {"crop_scale": (1.0, 1.0), "crop_aspect": (1.0, 1.0), "flip": 0.0}
        crop, colour = (train.augment.model_copy(update=u) for u in (geometry, still))
        self._crop = Augmentation(crop, train.seed, clips.normalise, purpose)
        self._colour = Augmentation(colour, train.seed, clips.normalise, purpose)

    def __call__(self, x_BTCHW: Tensor, epoch: np.ndarray, rows: np.ndarray) -> Tensor:
        """Vary normalised clips; draws of a clip depend on (seed, epoch, sample) only."""
        frames = x_BTCHW.shape[1]
        x = self._crop(x_BTCHW.flatten(1, 2), epoch, rows).reshape(x_BTCHW.shape)
        each = (np.repeat(part, frames) for part in (epoch, rows))
        return self._colour(x.flatten(0, 1), *each).reshape(x_BTCHW.shape)


class ClipBatches:
    """Augmented clips with what is seen and what is predicted of them, this rank's share of each batch.

    Rank r of R takes samples r, r + R, ... of the global batch, so that the samples and their draws do
    not depend on R.
    """

    def __init__(self, train: VideoJepa, store: VideoStore, grid: tuple[int, int, int], world: "World"):
        self.rows, self._size, self._world = store.rows("train"), train.batch_size, world
        self.clips = Clips(train, store, world.device)
        self.masks = ClipMasks(train, grid)
        self._order = Order(self.rows, train.seed)
        purposes = ["augment"] + ["augment-target"] * (train.augment.target == "own")
        self._augment = [ClipAugmentation(train, self.clips, purpose) for purpose in purposes]

    def samples(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """(epoch, sample number), int64 (B,) each, of the global batch ``number``."""
        return self._order.batch(number, self._size)

    def __call__(self, number: int, step: int) -> tuple[Tensor, ...]:
        """Clips float32 (b, T, C, H, W), context int64 (b, K), targets int64 (b, M, T); where the target
        has an augmentation of its own, the clips so augmented as a fourth."""
        world = self._world
        mine = slice(world.rank, None, world.size)
        epoch, rows = (part[mine] for part in self.samples(number))
        masks = self.masks(number, step, epoch, rows, world.smallest)
        plain = self.clips(rows)
        x, *target_view = (augment(plain, epoch, rows) for augment in self._augment)
        return x, *(moved(part, world.device) for part in masks), *target_view

    def plain(self, number: int, step: int, rows: np.ndarray) -> tuple[Tensor, ...]:
        """Clips ``rows`` as they are, with the masks that batch ``number`` gives them."""
        masks = self.masks(number, step, np.zeros(len(rows), np.int64), rows)
        return self.clips(rows), *(moved(part, self._world.device) for part in masks)
