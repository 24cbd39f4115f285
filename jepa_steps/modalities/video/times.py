"""Tokens of a clip before and after a cut in time.

Shapes: B samples, K tokens of the past, T tokens of one time.
"""

import numpy as np


def past_and_future(
    grid: tuple[int, int, int], cut: int, horizon: int, samples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Tokens before time ``cut`` int64 (B, K), and those of each of the next times int64 (B, horizon,
    T), the same for all samples."""
    frame = grid[1] * grid[2]
    targets = (cut + np.arange(horizon))[:, None] * frame + np.arange(frame)
    return np.tile(np.arange(cut * frame), (samples, 1)), np.tile(targets, (samples, 1, 1))
