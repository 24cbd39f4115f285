"""Training batches as a pure function of the step.

The training samples are visited in one endless stream: epoch after epoch, each a permutation of
its own. Step s takes positions s * B to (s + 1) * B of the stream, so there is no short last batch
and nothing to remember when a run resumes.

Shapes: B samples of the global batch, b samples of this rank, H x W x C pixels.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from . import counter
from .pixels import PixelNormalisation
from .store import Store


class Order:
    """Which sample stands where in the stream.

    Args:
        rows: int64 (n,), sample numbers of the training part.
        seed: seed of the permutations.
    """

    def __init__(self, rows: np.ndarray, seed: int):
        self.rows, self.seed = rows, seed
        self._permutation = lru_cache(maxsize=2)(self._permute)

    def _permute(self, epoch: int) -> np.ndarray:
        return counter.generator(self.seed, "order", epoch).permutation(self.rows)

    def batch(self, step: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        """(epoch, sample number), int64 (size,) each, of the global batch at ``step``."""
        epoch, place = np.divmod(np.arange(step * size, (step + 1) * size), len(self.rows))
        index = np.empty(size, dtype=np.int64)
        for e in np.unique(epoch):
            here = epoch == e
            index[here] = self._permutation(int(e))[place[here]]
        return epoch, index


class Images:
    """Normalised images by sample number, on the device.

    The whole training set moves to an accelerator once if it takes less than a quarter of its
    memory; otherwise rows are read from the memory map for every batch.
    """

    def __init__(self, store: Store, device: torch.device):
        self._images, self._device = store.images, device
        pixels = store.manifest["pixels"]
        self._normalise = PixelNormalisation(pixels["mean"], pixels["std"], device)
        self._resident = None
        if device.type == "cuda":
            room = torch.cuda.get_device_properties(device).total_memory / 4
            if store.images.nbytes < room:
                self._resident = torch.from_numpy(np.array(store.images)).to(device)

    def __call__(self, index: np.ndarray) -> Tensor:
        """int64 (b,) -> float32 (b, C, H, W)."""
        if self._resident is not None:
            x = self._resident[torch.from_numpy(index).to(self._device)]
        else:
            x = torch.from_numpy(self._images[index])
        return self._normalise(x)
