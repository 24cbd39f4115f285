"""Samples as places in one array of all time steps: whole series, or windows found by prefix sums.

Shapes: S segments, n samples, B samples of a batch, T time steps of all series, L steps of the longest
sample, C channels.
"""

import numpy as np


class Windows:
    """The samples of segments, which are runs of time steps that no sample leaves.

    Args:
        begin, steps: int64 (S,), the first step of each segment in the array of all steps, and its
        length.
        context: steps of a window; None = each segment is one sample, whole.
        target: steps after a window that belong to it.
        stride: steps from one window to the next.
    """

    def __init__(
        self,
        begin: np.ndarray,
        steps: np.ndarray,
        context: int | None = None,
        target: int = 0,
        stride: int | None = None,
    ):
        self._begin, self._steps, self._context, self._target = begin, steps, context, target
        self._stride = stride or context or 1
        counts = np.ones(len(begin), np.int64)
        if context is not None:
            counts = np.maximum(0, (steps - context - target) // self._stride + 1)
        self.first = np.concatenate([[0], np.cumsum(counts)])
        self.longest = int(steps.max(initial=0)) if context is None else context

    def __len__(self) -> int:
        return int(self.first[-1])

    def segment(self, rows: np.ndarray) -> np.ndarray:
        """The segment int64 (B,) of samples int64 (B,)."""
        return np.searchsorted(self.first, rows, side="right") - 1

    def places(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(first step in the array of all steps, number of steps), int64 (B,) each, of samples."""
        segment = self.segment(rows)
        start = self._begin[segment] + (rows - self.first[segment]) * self._stride
        if self._context is None:
            return start, self._steps[segment]
        return start, np.full(len(rows), self._context)

    def values(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Values float32 (B, L, C) of samples out of (T, C); NaN after the end of a shorter one."""
        start, steps = self.places(rows)
        if (steps == self.longest).all():
            return _runs(values, start, self.longest)
        inside = np.arange(self.longest) < steps[:, None]
        place = np.where(inside, start[:, None] + np.arange(self.longest), 0)
        return np.where(inside[..., None], values[place], np.float32(np.nan))

    def futures(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The steps after windows, float32 (B, target, C)."""
        start, steps = self.places(rows)
        return _runs(values, start + steps, self._target)


def _runs(values: np.ndarray, start: np.ndarray, steps: int) -> np.ndarray:
    """Runs of steps (B, steps, C): each is one copy of contiguous memory, as the array lies by step."""
    channels = values.shape[1]
    flat = np.lib.stride_tricks.sliding_window_view(values.reshape(-1), steps * channels)
    return flat[start * channels].reshape(len(start), steps, channels)
