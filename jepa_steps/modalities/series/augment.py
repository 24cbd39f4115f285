"""Variations of samples for views, from counter-based draws.

Shapes: B samples, L time steps, C channels.
"""

import numpy as np
import torch
from torch import Tensor

from ... import draws
from ...device import moved
from .training import SeriesAugment

_KNOTS = 6


class Augmentation:
    """A random stretch of time at the sample's length, a factor per channel, a slow curve, noise.

    Args:
        settings: ranges.
        seed, purpose: name the stream of draws; different purposes give independent variations.
    """

    def __init__(self, settings: SeriesAugment, seed: int, purpose: str):
        self._s = settings
        self._crop, self._factor, self._curve, self._noise = (
            draws.key(seed, f"{purpose} {what}") for what in ("crop", "factor", "curve", "noise")
        )

    def __call__(self, x_BLC: Tensor, epoch: np.ndarray, index: np.ndarray, steps: np.ndarray) -> Tensor:
        """Vary normalised values float32 (B, L, C), NaN = missing; sample b's draws depend on (seed,
        epoch[b], index[b]) only.

        Args:
            steps: int64 (B,), time steps of each sample; those after them stay missing.
        """
        if self._s.crop_scale != (1.0, 1.0):
            x_BLC = self._cropped(x_BLC, epoch, index, steps)
        B, L, C = x_BLC.shape
        if self._s.scaling:
            u = draws.uniform(self._factor, epoch, index, 2 * C).reshape(B, 2, C)
            factor = np.exp(self._s.scaling * _normal(u[:, 0], u[:, 1]))
            x_BLC = x_BLC * _like(x_BLC, factor)[:, None]
        if self._s.drift:
            x_BLC = x_BLC + _like(x_BLC, self._curves(epoch, index, L, C))
        if self._s.jitter:
            u = draws.uniform(self._noise, epoch, index, 2 * L * C + 1)
            normal = _normal(*u[:, 1:].reshape(B, 2, L, C).swapaxes(0, 1))
            noise_BLC = _like(x_BLC, self._s.jitter * u[:, 0, None, None] * normal)
            x_BLC = x_BLC + roughness(x_BLC)[:, None] * noise_BLC
        return x_BLC

    def _curves(self, epoch: np.ndarray, index: np.ndarray, steps: int, channels: int) -> np.ndarray:
        """Straight lines between ``_KNOTS`` normal numbers, evenly spaced in time, (B, L, C)."""
        u = draws.uniform(self._curve, epoch, index, 2 * _KNOTS * channels + 1)
        knots = _normal(*u[:, 1:].reshape(len(u), 2, _KNOTS, channels).swapaxes(0, 1))
        place = np.linspace(0, _KNOTS - 1, steps)
        below = np.minimum(place.astype(np.int64), _KNOTS - 2)
        share = (place - below)[:, None]
        curves = knots[:, below] * (1 - share) + knots[:, below + 1] * share
        return self._s.drift * u[:, 0, None, None] * curves

    def _cropped(self, x_BLC: Tensor, epoch: np.ndarray, index: np.ndarray, steps: np.ndarray) -> Tensor:
        """A random stretch of each sample, linearly interpolated to all of its steps. A step between a
        value and a missing one is missing."""
        low, high = self._s.crop_scale
        u = draws.uniform(self._crop, epoch, index, 2)
        last = (steps - 1).astype(np.float64)
        width = (low + u[:, 0] * (high - low)) * last
        first = u[:, 1] * (last - width)
        time = np.arange(x_BLC.shape[1]) / np.maximum(last, 1)[:, None]
        place = np.minimum(first[:, None] + time * width[:, None], last[:, None])
        below = np.floor(place).astype(np.int64)
        share = _like(x_BLC, place - below)[..., None]
        low_BL, high_BL = (
            moved(i, x_BLC.device) for i in (below, np.minimum(below + 1, (steps - 1)[:, None]))
        )
        a, b = (torch.take_along_dim(x_BLC, i[..., None], 1) for i in (low_BL, high_BL))
        found = torch.where(share > 0, a + share * (b - a), a)
        inside = moved(np.arange(x_BLC.shape[1]) < steps[:, None], x_BLC.device)
        return torch.where(inside[..., None], found, torch.nan)


def roughness(x_BLC: Tensor) -> Tensor:
    """Root of half the mean squared change from step to step, (B, C): the standard deviation, were the
    series nothing but noise. 0 where no two steps in a row are known."""
    change = x_BLC.diff(dim=1).square()
    n_BC = (~change.isnan()).sum(1).clamp(min=1)
    return (change.nan_to_num(0).sum(1) / n_BC / 2).sqrt()


def _normal(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Standard normal draws from two uniform ones (Box & Muller 1958)."""
    return np.sqrt(-2 * np.log1p(-u)) * np.cos(2 * np.pi * v)


def _like(x: Tensor, values: np.ndarray) -> Tensor:
    return moved(torch.from_numpy(values).to(x.dtype), x.device)
