"""MiniRocket (Dempster, Schmidt & Webb 2021): the floor of random convolutions.

Kernels, dilations, paddings and quantiles are the paper's; biases come from training samples. Written
anew, as no library of it installs beside what this project is pinned to.

Shapes: B samples, L time steps, C channels, F features.
"""

import math
from itertools import combinations
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ... import draws

KERNELS = tuple(combinations(range(9), 3))
"""Places of the weights 2 among nine; the other six are -1."""
_MOST_DILATIONS, _MOST_CHANNELS = 32, 9
_PHI = (math.sqrt(5) + 1) / 2


def dilations(length: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    """(dilations, features per kernel of each), int64; their sum is ``features`` over the 84 kernels."""
    each = max(1, features // len(KERNELS))
    most = min(each, _MOST_DILATIONS)
    exponent = max(0.0, math.log2(max(1.0, (length - 1) / 8)))
    spread = np.logspace(0, exponent, most, base=2).astype(np.int64)
    found, counts = np.unique(spread, return_counts=True)
    counts = (counts * (each / most)).astype(np.int64)
    for i in range(each - counts.sum()):
        counts[i % len(counts)] += 1
    return found, counts


class MiniRocket(nn.Module):
    """Proportions of positive values of 84 fixed kernels at several dilations: (B, L, C) -> (B, 1, F).

    Missing values are 0, the mean; a proportion is over the steps up to the last known one.

    Args:
        length, channels: of a sample. features: wanted; F is 84 times what that leaves per kernel.
        seed: of the channels that each kernel sees. biases: of every feature; None = 0, before
            ``calibrated``.
    """

    def __init__(self, length: int, channels: int, features: int, seed: int, biases: list[float] | None):
        super().__init__()
        self._dilations, self._each = dilations(length, features)
        self.features = int(self._each.sum()) * len(KERNELS)
        self._seed, self._channels = seed, channels
        start = torch.zeros(self.features) if biases is None else torch.tensor(biases)
        self.register_buffer("biases", start)

    def forward(self, x_BLC: Tensor) -> Tensor:
        """Features float32 (B, 1, F) of normalised values, NaN = missing."""
        inside_BL = _inside(x_BLC)
        found, place = [], 0
        for sums_BL, each, padding in self._answers(x_BLC):
            counted_BL = inside_BL
            if padding:
                counted_BL = inside_BL & _middle(inside_BL.shape[1], padding, x_BLC.device)
            n_B = counted_BL.sum(1).clamp(min=1)
            for bias in self.biases[place : place + each]:
                found.append(((sums_BL > bias) & counted_BL).sum(1) / n_B)
            place += each
        return torch.stack(found, 1)[:, None]

    def _answers(self, x_BLC: Tensor) -> Any:
        """Of each dilation and kernel its sums (B, L), how many features it has, and the steps on each
        side that are left out (0 = zeros stand there)."""
        x_BCL = x_BLC.nan_to_num(0.0).transpose(1, 2)
        generator = draws.generator(self._seed, "channels of kernels")
        for number, (dilation, each) in enumerate(zip(self._dilations, self._each, strict=True)):
            side = 4 * int(dilation)
            taps = F.pad(x_BCL, (side, side)).unfold(2, 2 * side + 1, 1)[..., :: int(dilation)]
            minus_BCL, taps_9BCL = -taps.sum(3), 3 * taps.permute(3, 0, 1, 2).contiguous()
            for kernel, (i, j, k) in enumerate(KERNELS):
                sums_BCL = minus_BCL + taps_9BCL[i] + taps_9BCL[j] + taps_9BCL[k]
                seen = _seen(generator, self._channels)
                cut = side if (number + kernel) % 2 and 2 * side < x_BCL.shape[2] else 0
                yield sums_BCL[:, seen].sum(1), int(each), cut

    @torch.no_grad()
    def calibrated(self, x_BLC: Tensor) -> list[float]:
        """Biases: for each dilation and kernel quantiles of its sums on one training sample, at the
        multiples of the golden ratio modulo 1."""
        generator = draws.generator(self._seed, "samples of biases")
        found: list[float] = []
        inside_BL = _inside(x_BLC)
        quantiles = (np.arange(1, self.features + 1) * _PHI) % 1
        chosen = generator.integers(0, len(x_BLC), len(self._dilations) * len(KERNELS))
        for sample, (sums_BL, each, _) in zip(chosen, self._answers(x_BLC), strict=True):
            values = sums_BL[sample][inside_BL[sample]].double().numpy()
            found += np.quantile(values, quantiles[len(found) : len(found) + each]).tolist()
        self.biases.copy_(torch.tensor(found))
        return self.biases.tolist()


def _inside(x_BLC: Tensor) -> Tensor:
    """bool (B, L), steps up to the last one with a known value; all of a sample without any."""
    known_BL = (~x_BLC.isnan()).any(2)
    inside = known_BL.flip(1).cummax(1).values.flip(1)
    return inside | ~inside.any(1, keepdim=True)


def _middle(length: int, side: int, device: torch.device) -> Tensor:
    """bool (L,) without ``side`` steps at each end."""
    step = torch.arange(length, device=device)
    return (step >= side) & (step < length - side)


def _seen(generator: np.random.Generator, channels: int) -> np.ndarray:
    """Channels that a kernel sums over: 2^u of them, as in the paper's multivariate form."""
    most = math.log2(min(channels, _MOST_CHANNELS) + 1)
    count = max(1, int(2 ** generator.uniform(0, most)))
    return np.sort(generator.choice(channels, min(count, channels), replace=False))
