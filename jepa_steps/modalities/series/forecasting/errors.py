"""Errors of forecasts: MSE, MAE and MASE on standardised values.

Shapes: n windows, H time steps of the future, C channels.
"""

import numpy as np

from ..store import SeriesStore
from .windows import ForecastWindows

_STEPS = 1 << 18


def errors(forecast: np.ndarray, future: np.ndarray, scale: np.ndarray) -> dict[str, np.ndarray]:
    """Of each window, by metric float64 (n,): means over steps and channels, missing values aside; NaN
    where all are missing.

    Args:
        forecast, future: float64 (n, H, C). scale: float64 (C,), of MASE.
    """
    off = forecast - future
    known = ~np.isnan(off)
    n = np.where((count := known.sum((1, 2))) > 0, count, np.nan)
    off = np.where(known, off, 0.0)
    size = np.abs(off)
    return {
        "mse": (off**2).sum((1, 2)) / n,
        "mae": size.sum((1, 2)) / n,
        "mase": (size / scale).sum((1, 2)) / n,
    }


def naive_scale(store: SeriesStore, windows: ForecastWindows, period: int) -> np.ndarray:
    """Mean absolute change over one season of each channel in training segments, float64 (C,), in
    standardised values; 1 where a channel never changes."""
    total, count = np.zeros((2, len(windows.mean)))
    for _, begin, steps, part in store.segments.tolist():
        if part == 0 and steps > period and count.max() < _STEPS:
            values = np.asarray(store.values[begin : begin + min(steps, _STEPS)], np.float64)
            change = np.abs(values[period:] - values[:-period]) / windows.std
            total, count = total + np.nansum(change, 0), count + np.isfinite(change).sum(0)
    found = total / np.maximum(count, 1)
    return np.where(found > 0, found, 1.0)
