"""Which training sample stands where in the endless stream of batches.

The training samples are visited epoch after epoch, each a permutation of its own. Batch k takes
positions k * B to (k + 1) * B of the stream, so there is no short last batch and nothing to remember
when a run resumes.
"""

from functools import lru_cache

import numpy as np

from .. import draws


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
        return draws.generator(self.seed, "order", epoch).permutation(self.rows)

    def batch(self, number: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        """(epoch, sample number), int64 (size,) each, of the global batch ``number``."""
        epoch, place = np.divmod(np.arange(number * size, (number + 1) * size), len(self.rows))
        index = np.empty(size, dtype=np.int64)
        for e in np.unique(epoch):
            here = epoch == e
            index[here] = self._permutation(int(e))[place[here]]
        return epoch, index
