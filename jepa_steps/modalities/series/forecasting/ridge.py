"""Ridge regression from features of the past to the future, streamed over windows.

The change against the last value is predicted, as in NLinear (Zeng et al. 2023): a forecast then follows
the level of its window. With all weights shared by channels and the past itself as features this is the
linear forecast that DLinear comes down to.

Shapes: n windows, C channels, H time steps of the future, p features, m outputs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ....errors import InputError
from .windows import ForecastWindows, Past

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Penalties, as multiples of the mean square of a feature times the number of rows."""
Features = Callable[[Past], np.ndarray]
"""From windows to float32 (n, C, p), a row per channel, or (n, 1, p), one for all channels."""


@dataclass(frozen=True)
class Ridge:
    """Fitted maps, one per strength.

    coef: float32 (strengths, p, m). intercept: float32 (strengths, m).
    """

    features: Features
    coef: np.ndarray
    intercept: np.ndarray
    scaled: bool

    def __call__(self, block: Past, strengths: list[int], horizon: int) -> list[np.ndarray]:
        """Forecasts (n, H, C) with the strengths of these numbers."""
        x = self.features(block)
        changes = (x @ self.coef[s] + self.intercept[s] for s in strengths)
        scale = block.scale[:, None] if self.scaled else 1.0
        channels = block.last.shape[1]
        return [block.last[:, None] + _by_channel(c, horizon, channels) * scale for c in changes]


def fit(windows: ForecastWindows, rows: np.ndarray, features: Features, scaled: bool) -> Ridge:
    """Ridge regression on windows int64 (n,) that have no missing value in their future; products of
    float32 blocks, sums in float64.

    Args:
        scaled: predict the change over the window's own standard deviation.
    """
    gram = moment = total = target = None
    count = 0
    for block in windows.pasts(rows):
        future = windows.futures(block.rows)
        change = (future - block.last[:, None]) / (block.scale[:, None] if scaled else 1.0)
        x = features(block)
        y = _by_row(change, x.shape[1]).astype(np.float32)
        x, y = x.reshape(-1, x.shape[-1]), y.reshape(len(x) * x.shape[1], -1)
        known = ~np.isnan(y).any(1)
        x, y = x[known], y[known]
        parts = [x.T @ x, x.T @ y, x.sum(0, dtype=np.float64), y.sum(0, dtype=np.float64)]
        parts = [part.astype(np.float64) for part in parts]
        if gram is None:
            gram, moment, total, target = parts
        else:
            gram, moment = gram + parts[0], moment + parts[1]
            total, target = total + parts[2], target + parts[3]
        count += len(x)
    if not count:
        raise InputError("evaluate: no training window has a future without missing values to fit on")
    x_mean, y_mean = total / count, target / count
    gram = gram - count * np.outer(x_mean, x_mean)
    moment = moment - count * np.outer(x_mean, y_mean)
    values, basis = np.linalg.eigh(gram)
    unit = max(values.clip(min=0).mean(), np.finfo(float).tiny)
    inside = basis.T @ moment
    coef = np.stack([basis @ (inside / (values.clip(min=0) + s * unit)[:, None]) for s in STRENGTHS])
    intercept = y_mean - x_mean @ coef
    return Ridge(features, coef.astype(np.float32), intercept.astype(np.float32), scaled)


def raw_past(block: Past) -> np.ndarray:
    """The past of each channel less its last value, (n, C, L)."""
    return (block.past - block.last[:, None]).transpose(0, 2, 1).astype(np.float32)


def _by_row(change: np.ndarray, rows: int) -> np.ndarray:
    """(n, H, C) -> (n, C, H) where each channel is a row, or (n, 1, H * C)."""
    if rows > 1 or change.shape[2] == 1:
        return change.transpose(0, 2, 1)
    return change.reshape(len(change), 1, -1)


def _by_channel(change: np.ndarray, horizon: int, channels: int) -> np.ndarray:
    """The other way round: (n, rows, m) -> (n, H, C)."""
    if change.shape[1] == channels:
        return change.transpose(0, 2, 1)
    return change.reshape(len(change), horizon, channels)
