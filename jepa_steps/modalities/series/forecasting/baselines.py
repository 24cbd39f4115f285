"""Forecasts without an encoder: the last value, the last season, the mean.

Shapes: n windows, L time steps of the past, H of the future, C channels.
"""

import numpy as np

from ..store import SeriesStore
from .windows import ForecastWindows, Past

_LAGS = 2048  # longest season that is looked for
_STEPS = 1 << 18  # training time steps behind it


def last_value(block: Past, horizon: int) -> np.ndarray:
    """The last known value of each channel, (n, H, C)."""
    return np.repeat(block.last[:, None], horizon, 1)


def last_season(block: Past, horizon: int, period: int) -> np.ndarray:
    """What stood one season, or as many seasons as it takes, before each step, (n, H, C)."""
    place = np.arange(horizon) % period - period
    return block.past[:, place]


def mean_value(block: Past, horizon: int) -> np.ndarray:
    """The mean of the training part, 0 in standardised values, (n, H, C)."""
    return np.zeros((len(block.rows), horizon, block.past.shape[2]))


def season(store: SeriesStore, windows: ForecastWindows, longest: int) -> int:
    """The period in time steps, at most ``longest``: the lag at which the autocorrelation of the longest
    training segment, averaged over channels, has its first peak (a lag above both neighbours) within
    noise of the highest. Its trend is taken out by differences. 1, the last value, where no peak is
    above 0.1 and four standard errors of noise."""
    segments = store.segments[store.segments[:, 3] == 0]
    _, begin, steps, _ = segments[segments[:, 2].argmax()]
    values = np.asarray(store.values[begin : begin + min(steps, _STEPS)], np.float64)
    x = np.diff(np.nan_to_num((values - windows.mean) / windows.std), axis=0)
    most = min(longest, _LAGS, len(x) // 2)
    if most < 3:
        return 1
    spectrum = np.abs(np.fft.rfft(x - x.mean(0), 2 * len(x), axis=0)) ** 2
    auto = np.fft.irfft(spectrum, axis=0)[: most + 2]
    power = np.where(auto[0] > 0, auto[0], 1)
    found = (auto / power).mean(1)
    peaks = [lag for lag in range(2, most + 1) if found[lag - 1] < found[lag] >= found[lag + 1]]
    error = 1 / np.sqrt(len(x))
    highest = max((found[lag] for lag in peaks), default=0.0)
    if highest <= max(0.1, 4 * error):  # noise alone reaches 3 or 4 errors
        return 1
    return next(lag for lag in peaks if found[lag] >= highest - 2 * error)  # not a multiple of it
