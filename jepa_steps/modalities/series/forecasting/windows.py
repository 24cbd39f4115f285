"""Windows with their future, on standardised values.

Shapes: n windows, L time steps of the past, H of the future, C channels.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ....arrays import release
from ..preparation.statistics import sample_statistics
from ..store import SeriesStore

BLOCK = 256  # windows held at once


class Past(NamedTuple):
    """Windows of a block.

    rows: int64 (n,), sample numbers. past: float64 (n, L, C), missing values filled with the last known
    one (0, the training mean, before the first). last: float64 (n, C), the last of them. scale: float64
    (n, C), the standard deviation of each window, 1 where it is not taken out.
    """

    rows: np.ndarray
    past: np.ndarray
    last: np.ndarray
    scale: np.ndarray


class ForecastWindows:
    """Windows of a store in units of the training part's deviations.

    Args:
        of_sample: whether encoders see windows over their own standard deviation; then forecasts from
            embeddings are in its units, too.
    """

    def __init__(self, store: SeriesStore, of_sample: bool):
        self._store, self.of_sample = store, of_sample
        self.horizon = store.manifest["settings"]["target_length"]
        self.mean, self.std = (np.array(store.manifest["channels"][name]) for name in ("mean", "std"))

    def pasts(self, rows: np.ndarray) -> Iterator[Past]:
        """Windows int64 (n,) block by block."""
        for a in range(0, len(rows), BLOCK):
            some = rows[a : a + BLOCK]
            past = self._standard(self._store.samples(some))
            scale = (
                sample_statistics(past)[1] if self.of_sample else np.ones((len(some), len(self.mean)))
            )
            past = _filled(past)
            yield Past(some, past, past[:, -1], np.where(scale > 1e-6, scale, 1.0))

    def futures(self, rows: np.ndarray) -> np.ndarray:
        """Futures float64 (n, H, C), NaN = missing."""
        found = self._standard(self._store.futures(rows))
        release(self._store.values)
        return found

    def _standard(self, x: np.ndarray) -> np.ndarray:
        return (x.astype(np.float64) - self.mean) / self.std


def _filled(past: np.ndarray) -> np.ndarray:
    """Each missing value replaced by the last known one before it, 0 where there is none."""
    known = ~np.isnan(past)
    if known.all():
        return past
    place = np.maximum.accumulate(np.where(known, np.arange(past.shape[1])[None, :, None], -1), 1)
    found = np.take_along_axis(past, np.maximum(place, 0), 1)
    return np.where(place >= 0, found, 0.0)
