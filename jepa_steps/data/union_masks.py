"""Masks of V-JEPA (Bardes et al. 2024): the union of several blocks is hidden, the rest is the context.

A block covers a share of the height and width of the grid, and usually all of its time: what hides in
one frame could otherwise be read in the next. Block sizes are shared by the batch, positions are drawn
for every sample, uniform over all placements that fit. Samples are brought to one number of tokens by
leaving some out in a random order; where blocks last the whole time, whole columns of time are left out.

Shapes: B samples, a grid of time x height x width with N tokens, S columns of time (height x width), M
blocks, K context tokens, T target tokens.
"""

import copy
import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .. import draws
from .masks import block_size, cover

_ATTEMPTS = 8
_TABLE = 2**27  # bits of a table of all placements of a block


class Layout(NamedTuple):
    """What is hidden of a batch, with the tokens of each sample in a random order of its own. Tokens are
    columns of time, S of them, where blocks last the whole time.

    order: int64 (B, S or N), tokens. hidden: bool of the same shape. count: int, hidden ones up to and
    including each.
    """

    order: np.ndarray
    hidden: np.ndarray
    count: np.ndarray


class UnionMasks:
    """Sampler of what is hidden; a pure function of (seed, purpose, step, epoch, sample index).

    Args:
        grid: tokens along time, height and width, at least 2 together.
        blocks: M, whose union is hidden.
        scale: range of the share of height x width that a block covers.
        time: range of the share of the time that a block covers.
        aspect: range of a block's height/width.
        min_context: share of the tokens that should stay visible; layouts below it are redrawn.
        purpose: name of the stream of draws.

    Raises:
        ValueError: the grid has fewer than 2 tokens.
    """

    def __init__(
        self,
        grid: tuple[int, int, int],
        seed: int,
        blocks: int = 8,
        scale: tuple[float, float] = (0.15, 0.15),
        time: tuple[float, float] = (1.0, 1.0),
        aspect: tuple[float, float] = (0.75, 1.5),
        min_context: float = 0.05,
        purpose: str = "union",
    ):
        if math.prod(grid) < 2:
            raise ValueError(f"a grid of {grid} has no room for a context and a target")
        self.grid, self.blocks = grid, blocks
        self.scale, self.time, self.aspect, self.min_context = scale, time, aspect, min_context
        self._shared = draws.key(seed, f"{purpose} of a batch")
        self._places = [draws.key(seed, f"{purpose} places {i}") for i in range(_ATTEMPTS)]

    def with_blocks(self, blocks: int, scale: tuple[float, float]) -> "UnionMasks":
        """The same sampler with other blocks, for a curriculum."""
        other = copy.copy(self)
        other.blocks, other.scale = blocks, scale
        return other

    def size(self, step: int) -> tuple[int, int, int]:
        """Tokens of a block along time, height and width at an optimizer step; never the whole grid."""
        return self._size(draws.uniform(self._shared, step, 0, 3)[0])

    def _size(self, u: np.ndarray) -> tuple[int, int, int]:
        ranges = (self.scale, self.aspect, self.time)
        scale, aspect, time = (a + x * (b - a) for x, (a, b) in zip(u, ranges, strict=True))
        t, *space = self.grid
        length = min(max(1, round(time * t)), t)
        if length == t and math.prod(space) == 1:
            length -= 1
        return length, *block_size(tuple(space), scale, aspect, leave=int(length == t))

    def layout(self, step: int, epoch: np.ndarray, index: np.ndarray) -> Layout:
        """Draw what is hidden of samples int64 (B,)."""
        shared = draws.uniform(self._shared, step, 0, 3 + math.prod(self.grid))[0]
        size, grid = self._size(shared[:3]), self.grid
        if size[0] == grid[0]:  # the same at all times
            size, grid = size[1:], grid[1:]
        n = math.prod(grid)
        u, corners = self._draw(0, size, grid, epoch, index)
        hidden, most = union(corners, size, grid), n - max(1, round(self.min_context * n))
        covered = hidden.sum(1)
        for attempt in range(1, _ATTEMPTS):
            poor = np.flatnonzero(covered > most)
            if not len(poor):
                break
            again = union(self._draw(attempt, size, grid, epoch[poor], index[poor])[1], size, grid)
            better = again.sum(1) < covered[poor]
            hidden[poor[better]] = again[better]
            covered[poor[better]] = again[better].sum(1)
        if len(full := np.flatnonzero(covered == n)):  # all blocks onto the first one, which has room
            hidden[full] = union(corners[full, :1], size, grid)
        order = np.argsort(shared[3 : 3 + n])
        cycle = np.lib.stride_tricks.sliding_window_view(np.concatenate([order, order]), n)
        order = cycle[(u * n).astype(np.int64)]  # every sample enters it at a place of its own
        hidden = hidden.take(order + n * np.arange(len(order))[:, None])
        return Layout(order, hidden, hidden.cumsum(1, dtype=np.int32))

    def _draw(
        self, attempt: int, size: tuple[int, ...], grid: tuple[int, ...],
        epoch: np.ndarray, index: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """(a number in [0, 1) (B,), corners of blocks int64 (B, M, axes))."""
        u = draws.uniform(self._places[attempt], epoch, index, self.blocks * len(grid) + 1)
        room = np.array(grid) - np.array(size) + 1
        corners = u[:, 1:].reshape(len(u), self.blocks, -1) * room
        return u[:, 0], corners.astype(np.int64)

    def seen_and_hidden(
        self, layout: Layout, smallest: Callable[[int], int] = int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Tokens of the whole grid: context int64 (B, K) and targets int64 (B, T), of each as many as
        the sample with the fewest has.

        Args:
            smallest: gives the least of a number over the ranks that share the batch.
        """
        order, hidden, count = layout
        n = order.shape[1]
        seen = ~hidden & (np.arange(1, n + 1) - count <= smallest(n - int(count[:, -1].max())))
        hidden = hidden & (count <= smallest(int(count[:, -1].min())))
        return self._all_times(order, seen), self._all_times(order, hidden)

    def _all_times(self, order: np.ndarray, keep: np.ndarray) -> np.ndarray:
        kept, n = order.take(np.flatnonzero(keep)).reshape(len(order), -1), order.shape[1]
        if n == math.prod(self.grid):
            return kept
        tokens = np.empty((len(kept), self.grid[0], kept.shape[1]), np.int64)
        for time in range(self.grid[0]):  # a quarter faster than by broadcasting
            np.add(kept, n * time, out=tokens[:, time])
        return tokens.reshape(len(kept), -1)


def union(corners: np.ndarray, size: tuple[int, ...], grid: tuple[int, ...]) -> np.ndarray:
    """Tokens inside any of the blocks of ``size`` at ``corners`` int64 (B, M, axes): bool (B,
    tokens)."""
    room = [g - s + 1 for g, s in zip(grid, size, strict=True)]
    if math.prod(room) * math.prod(grid) > _TABLE:
        return cover(corners, size, grid)
    place = np.ravel_multi_index(tuple(np.moveaxis(corners, 2, 0)), room)
    bits = np.bitwise_or.reduce(_placements(size, grid)[place], 1)
    return np.unpackbits(bits.view(np.uint8), axis=1, count=math.prod(grid)).view(bool)


@lru_cache(maxsize=64)
def _placements(size: tuple[int, ...], grid: tuple[int, ...]) -> np.ndarray:
    """Tokens inside a block at each of its places, as bits, uint64 (places, words of 64)."""
    room = [g - s + 1 for g, s in zip(grid, size, strict=True)]
    corners = np.stack(np.unravel_index(np.arange(math.prod(room)), room), 1)
    bits = np.packbits(cover(corners[:, None], size, grid), axis=1)
    return np.pad(bits, ((0, 0), (0, -bits.shape[1] % 8))).view(np.uint64)
