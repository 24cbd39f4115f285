"""Means and deviations of channels, of the training part and of samples.

Shapes: T time steps of all series, C channels, n samples.
"""

import numpy as np

from ....arrays import release
from ....data.windows import Windows

_BLOCK = 1 << 20  # values held at once


def channel_statistics(values: np.ndarray, segments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean, standard deviation) of each channel over the training segments, float64 (C,) each; missing
    values aside. A channel that never changes has standard deviation 1, one without values mean 0."""
    n, total = np.zeros((2, values.shape[1]))
    pieces = [
        piece for begin, steps in segments[segments[:, 3] == 0, 1:3] for piece in _pieces(begin, steps)
    ]
    for a, b in pieces:
        block = np.asarray(values[a:b], np.float64)
        n, total = n + np.isfinite(block).sum(0), total + np.nansum(block, 0)
        release(values)
    mean = total / np.maximum(n, 1)
    off = np.zeros_like(total)
    for a, b in pieces:
        off += np.nansum((np.asarray(values[a:b], np.float64) - mean) ** 2, 0)
        release(values)
    std = np.sqrt(off / np.maximum(n, 1))
    return mean, np.where(std > 1e-12 * np.maximum(1, np.abs(mean)), std, 1.0)


def _pieces(begin: int, steps: int) -> list[tuple[int, int]]:
    return [(a, min(a + _BLOCK, begin + steps)) for a in range(begin, begin + steps, _BLOCK)]


def offsets_and_scales(
    values: np.ndarray, windows: Windows, mean: np.ndarray, std: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(offset, scale) of each sample, float64 (n,): means over its channels of their mean and of their
    standard deviation over time, in units of the training part's. 0 where all is missing."""
    offset, scale = np.zeros((2, len(windows)))
    size = max(1, _BLOCK // (windows.longest * len(mean)))
    for a in range(0, len(windows), size):
        rows = np.arange(a, min(a + size, len(windows)))
        x = (np.asarray(windows.values(values, rows), np.float64) - mean) / std
        of_mean, of_std = sample_statistics(x)
        offset[rows], scale[rows] = of_mean.mean(1), of_std.mean(1)
        release(values)
    return offset, scale


def sample_statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean, standard deviation) of each channel over time, (B, C) each, of values (B, L, C) of which
    NaN are missing; 0 where all are."""
    known = ~np.isnan(x)
    n = np.maximum(known.sum(1), 1)
    mean = np.where(known, x, 0).sum(1) / n
    off = np.where(known, x - mean[:, None], 0)
    return mean, np.sqrt((off**2).sum(1) / n)
