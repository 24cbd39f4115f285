"""What is hidden of a series: blocks of time, or the future.

Blocks lie in time; where each channel has tokens of its own, a block covers all channels, as a channel
can tell what another one does at the same time. Block sizes are shared by the batch, so that every
tensor is dense; places are drawn for each sample, within the tokens that it has.

Shapes: B samples, N time tokens, C rows of channels in the grid (1 where channels are mixed), M target
blocks, T tokens per block, K context tokens.
"""

import numpy as np

from ... import draws
from .training import SeriesMasks


class TimeMasks:
    """Sampler of context and target tokens; a pure function of (seed, step, epoch, sample index).

    Args:
        settings: ranges of what is hidden.
        channels: C.
        future: hide what comes after a cut, instead of blocks anywhere.
    """

    def __init__(self, settings: SeriesMasks, seed: int, channels: int, length: int, future: bool):
        self._past, self._channels, self._length, self._future = settings.past, channels, length, future
        self._sizes, self._places = draws.key(seed, "mask sizes"), draws.key(seed, "mask places")
        self._order = draws.key(seed, "mask order")

    def visible(
        self, number: int, epoch: np.ndarray, index: np.ndarray, tokens: np.ndarray, least: int,
        blocks: int, scale: tuple[float, float],
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """What the context may use and what is predicted, in time tokens: bool (B, N), int64 (B, M, T).

        Args:
            number: of the batch. tokens: int64 (B,), tokens of each sample. least: the fewest of any
            sample of the batch, on all ranks. blocks: M. scale: share of ``least`` that a block covers.
        """
        u_scale, u_past = draws.uniform(self._sizes, number, 0, 2)[0]
        share = scale[0] + u_scale * (scale[1] - scale[0])
        size = min(max(1, round(share * least)), least - 1)
        past = self._past[0] + u_past * (self._past[1] - self._past[0])
        cut = min(max(1, round(past * least)), least - size) if self._future else 0
        u = draws.uniform(self._places, epoch, index, blocks)
        first = cut + (u * (tokens[:, None] - cut - size + 1)).astype(np.int64)
        targets = first[..., None] + np.arange(size)
        time = np.arange(self._length)
        if self._future:
            return np.broadcast_to(time < cut, (len(index), self._length)), targets
        hidden = ((time >= first[..., None]) & (time < first[..., None] + size)).any(1)
        visible = (time < tokens[:, None]) & ~hidden
        if len(bare := np.flatnonzero(~visible.any(1))):  # all blocks onto the first: one token is left
            targets[bare] = targets[bare, :1]
            hidden = (time >= first[bare, :1]) & (time < first[bare, :1] + size)
            visible[bare] = (time < tokens[bare, None]) & ~hidden
        return visible, targets

    def context(
        self, visible: np.ndarray, length: int, epoch: np.ndarray, index: np.ndarray
    ) -> np.ndarray:
        """``length`` of the visible time tokens of each sample, drawn at random, int64 (B, length)."""
        u = draws.uniform(self._order, epoch, index, self._length)
        order = np.argsort(np.where(visible, u, 2.0), 1, kind="stable")[:, :length]
        return np.sort(order, 1)

    def over_channels(self, time: np.ndarray) -> np.ndarray:
        """Time tokens int64 (..., T) as tokens of the whole grid, (..., C * T)."""
        rows = np.arange(self._channels)[:, None] * self._length
        return (rows + time[..., None, :]).reshape(*time.shape[:-1], -1)
