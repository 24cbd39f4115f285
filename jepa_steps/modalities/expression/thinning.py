"""The counts of a cell divided in two at random: parts that share the cell, and not the noise of
counting it.

Each count goes to the first part with the probability ``share``, else to the second. Of Poisson counts
the parts are independent, given the cell (count splitting, Neufeld et al. 2022, Biostatistics 25:270;
molecular cross-validation, Batson, Royer & Webber 2019).

Shapes: b cells, G genes, k values that are not 0.
"""

import numpy as np
import torch
from scipy.special import bdtr
from torch import Tensor

from ... import draws
from ...device import moved
from ...errors import InputError
from .ragged import places, scattered
from .store import ExpressionStore

_MOST = 255  # counts up to which the binomial distribution is tabulated


class Thinning:
    """Two parts of the counts of cells, drawn on the device by (seed, epoch, cell, gene).

    Raises:
        InputError: a store that tells no counts.
    """

    def __init__(self, store: ExpressionStore, share: float, seed: int, device: torch.device):
        if np.isnan(store.count_value).any():
            raise InputError(
                "thinning: found values that tell no counts, expected counts, or values that are "
                "multiples of one number in each cell: set the data set's layer to the counts, or take "
                "another training, as 'python -m jepa_steps.config preset masked-genes' prints"
            )
        self._store, self._share, self._device = store, share, device
        self._binomial = Binomial(share, device)
        self._stream = draws.key(seed, "thinning")

    def __call__(self, epoch: np.ndarray, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """Both parts of cells int64 (b,) as they are drawn in their epochs, float32 (b, G) each: log1p
        of expression on the scale of the whole cell, as the store has it."""
        values, indices, offsets = self._store.csr.ragged(rows)
        worth = np.repeat(self._store.count_value[rows], np.diff(offsets))
        counts = np.rint(np.expm1(values) / worth)
        row, gene = places(indices, offsets, self._device)
        states = draws.states(self._stream, epoch, rows).view(np.int64)
        u = uniform_at(moved(states, self._device)[row], gene)
        whole, worth = (moved(x, self._device) for x in (counts, worth))
        first = self._binomial(counts, whole, u)
        shape = (len(rows), len(self._store.genes))
        parts = ((first, self._share), (whole - first, 1 - self._share))
        return tuple(
            scattered(torch.log1p(part * worth / share), row, gene, *shape) for part, share in parts
        )


class Binomial:
    """Quantiles of the binomial distribution of ``share``, by a table of its sums up to 255 counts;
    beyond, those of the normal distribution of equal mean and variance, rounded."""

    def __init__(self, share: float, device: torch.device):
        n = np.repeat(np.arange(_MOST + 1), np.arange(_MOST + 1))
        starts = np.arange(_MOST + 1) * np.arange(-1, _MOST) // 2
        k = np.arange(len(n)) - starts[n]
        # One ascending table: n plus the chance of at most k, for k below n.
        table = n + bdtr(k.astype(np.float64), n, share)
        self._table, self._starts = (torch.from_numpy(x).to(device) for x in (table, starts))
        self._share = share

    def __call__(self, counts: np.ndarray, on_device: Tensor, u: Tensor) -> Tensor:
        """The quantiles u float64 (k,) of counts float32 (k,), float32 (k,).

        Args:
            counts: in memory, where to find out which are large costs the device no wait.
            on_device: the same on the device.
        """
        drawn = (u >= 1 - self._share).to(on_device.dtype)  # of a single count, as most are
        drawn = torch.minimum(drawn, on_device)
        several = ((counts > 1) & (counts <= _MOST), self._tabled)
        for chosen, quantiles in (several, (counts > _MOST, self._normal)):
            if chosen.any():
                at = moved(np.flatnonzero(chosen), u.device)
                drawn.index_copy_(0, at, quantiles(on_device[at], u[at]))
        return drawn

    def _tabled(self, counts: Tensor, u: Tensor) -> Tensor:
        n = counts.long()
        found = torch.searchsorted(self._table, n + u, right=True) - self._starts[n]
        return torch.minimum(found.clamp(min=0), n).to(counts.dtype)

    def _normal(self, counts: Tensor, u: Tensor) -> Tensor:
        mean = counts.double() * self._share
        drawn = torch.round(mean + torch.sqrt(mean * (1 - self._share)) * torch.special.ndtri(u))
        return torch.minimum(drawn.to(counts.dtype).clamp(min=0), counts)


def uniform_at(states: Tensor, places: Tensor) -> Tensor:
    """Numbers in [0, 1), float64 (k,): what ``draws.uniform`` has at ``places`` int64 (k,) of the rows
    whose ``draws.states`` are given, int64 (k,) of the same bits."""
    bits = _mixed(states + (places + 1) * _signed(draws.GOLDEN))
    return _shifted(bits, 11).double() * 2.0**-53


def _mixed(z: Tensor) -> Tensor:
    """The mixing of ``draws`` on signed integers, whose products wrap around alike."""
    for shift, factor in draws.ROUNDS:
        z = (z ^ _shifted(z, shift)) * _signed(factor)
    return z ^ _shifted(z, draws.LAST)


def _shifted(z: Tensor, by: int) -> Tensor:
    """Bits moved to the right, zeros from the left."""
    return (z >> by) & ((1 << (64 - by)) - 1)


def _signed(value: np.uint64) -> int:
    return int(np.uint64(value).astype(np.int64))
