"""Statistics of pixels, exact: no sum depends on the order in which they come."""

from collections.abc import Iterable

import numpy as np


def channel_statistics(blocks: Iterable[np.ndarray], channels: int) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel of blocks uint8 (..., C), in units of full scale (0 to
    1), by integer counts of the 256 levels."""
    counts = np.zeros((channels, 256), np.int64)
    for block in blocks:
        for c in range(channels):
            counts[c] += np.bincount(block[..., c].ravel(), minlength=256)
    levels = np.arange(256) / 255
    share = counts / counts.sum(1, keepdims=True)
    mean = share @ levels
    std = np.sqrt((share * (levels - mean[:, None]) ** 2).sum(1))
    return mean.tolist(), np.maximum(std, 1 / 255).tolist()
