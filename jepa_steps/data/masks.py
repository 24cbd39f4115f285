"""Multi-block masks (I-JEPA, Assran et al. 2023, section 3) for a whole batch at once.

Block *sizes* are shared by the batch, so that every tensor is dense; block *positions* are drawn
for every sample. Positions are uniform over all placements that fit, the last row and column
included. Contexts are brought to one length by dropping visible tokens in a random order, never
in raster order: the visit frequency keeps every symmetry of the grid.

Shapes: B samples, H x W grid of N tokens, M target blocks, T tokens per block, K context tokens.
"""

import copy
from dataclasses import dataclass
from functools import reduce

import numpy as np

from .. import draws
from ..config import Masks

_ATTEMPTS = 8


@dataclass(frozen=True)
class BlockMasks:
    """Token indices of one batch, row-major over the H x W grid.

    context: int64 (B, K), visible tokens, no overlap with any target of the same sample.
    targets: int64 (B, M, T), one rectangular block a row; blocks may overlap each other.
    """

    context: np.ndarray
    targets: np.ndarray


def block_size(grid: tuple[int, int], scale: float, aspect: float, leave: int = 0) -> tuple[int, int]:
    """Height and width of a block covering about ``scale`` of the grid at ``aspect`` = h/w.

    The size is clamped to the grid; the longer side shrinks until ``leave`` tokens stay outside.
    """
    rows, cols = grid
    area = scale * rows * cols
    h = min(max(round((area * aspect) ** 0.5), 1), rows)
    w = min(max(round((area / aspect) ** 0.5), 1), cols)
    while h * w > rows * cols - leave and h * w > 1:
        h, w = (h - 1, w) if h >= w else (h, w - 1)
    return h, w


def cover(corners: np.ndarray, size: tuple[int, ...], grid: tuple[int, ...]) -> np.ndarray:
    """Tokens inside any of the blocks of ``size`` at ``corners`` int64 (B, M, axes): bool (B, N)."""
    B, M, axes = corners.shape
    inside = []
    for axis in range(axes):
        place = np.arange(grid[axis]) - corners[..., axis, None]
        shape = [B, M, *(grid[axis] if a == axis else 1 for a in range(axes))]
        inside.append(((place >= 0) & (place < size[axis])).reshape(shape))
    covered = reduce(np.logical_and, (part[:, 0] for part in inside))
    for m in range(1, M):
        covered |= reduce(np.logical_and, (part[:, m] for part in inside))
    return covered.reshape(B, -1)


def first_in_order(tokens: np.ndarray, length: int, order: np.ndarray, enter: np.ndarray) -> np.ndarray:
    """``length`` of the marked tokens of each sample, int64 (B, length): the first ones from a place in
    a cyclic order on.

    Args:
        tokens: bool (B, N), at least ``length`` marked per sample.
        order: int64 (N,), a permutation. enter: int64 (B,), the place of each sample in it.
    """
    shuffled = tokens[:, order]
    # Rank of each marked token, counted cyclically from the sample's own place.
    count = np.cumsum(shuffled, 1, dtype=np.int32)
    before = np.where(enter > 0, count[np.arange(len(count)), enter - 1], 0)
    rank = count - before[:, None]
    rank += (rank <= 0) * count[:, -1:]
    keep = shuffled & (rank <= length)
    return order[np.nonzero(keep)[1]].reshape(len(tokens), length)


class MultiBlockMasks:
    """Sampler of context and target masks; a pure function of (seed, step, epoch, sample index).

    Args:
        grid: tokens (rows, columns), each at least 1 and at least 2 tokens together.
        blocks: number of target blocks M.
        scale: range of the share of the grid that a target block covers.
        aspect: range of a target block's height/width.
        context_scale: range of the share covered by the context block, before targets are removed.
        min_context: share of the tokens that should stay visible; layouts below it are redrawn.

    Raises:
        ValueError: the grid has fewer than 2 tokens.
    """

    def __init__(
        self,
        grid: tuple[int, int],
        seed: int,
        blocks: int = 4,
        scale: tuple[float, float] = (0.15, 0.2),
        aspect: tuple[float, float] = (0.75, 1.5),
        context_scale: tuple[float, float] = (0.85, 1.0),
        min_context: float = 0.1,
    ):
        if grid[0] * grid[1] < 2:
            raise ValueError(f"a {grid[0]}x{grid[1]} grid has no room for a context and a target")
        self.grid, self.blocks = grid, blocks
        self.scale, self.aspect, self.context_scale = scale, aspect, context_scale
        self.min_context = max(1, round(min_context * grid[0] * grid[1]))
        self._sizes = draws.key(seed, "mask sizes")
        self._places = [draws.key(seed, f"mask places {i}") for i in range(_ATTEMPTS)]
        self._order, self._enter = draws.key(seed, "mask order"), draws.key(seed, "mask enter")

    @classmethod
    def of(cls, settings: Masks, grid: tuple[int, int], seed: int) -> "MultiBlockMasks":
        """The sampler that a training's settings describe."""
        s = settings
        return cls(grid, seed, s.blocks, s.scale, s.aspect, s.context_scale, s.min_context)

    def with_targets(self, blocks: int, scale: tuple[float, float]) -> "MultiBlockMasks":
        """The same sampler with other target blocks, for a curriculum."""
        other = copy.copy(self)
        other.blocks, other.scale = blocks, scale
        return other

    def sizes(self, step: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """(h, w) of the target blocks and of the context block at an optimizer step."""
        u_scale, u_aspect, u_context = draws.uniform(self._sizes, step, 0, 3)[0]
        scale = self.scale[0] + u_scale * (self.scale[1] - self.scale[0])
        aspect = self.aspect[0] + u_aspect * (self.aspect[1] - self.aspect[0])
        context = self.context_scale[0] + u_context * (self.context_scale[1] - self.context_scale[0])
        return block_size(self.grid, scale, aspect, leave=1), block_size(self.grid, context, 1.0)

    def visible(self, step: int, epoch: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Draw the layouts: bool (B, N) tokens that the context may use, and int64 (B, M, T)."""
        target, context = self.sizes(step)
        visible, corners = self._layout(self._places[0], target, context, epoch, index)
        for attempt in range(1, _ATTEMPTS):
            poor = np.flatnonzero(visible.sum(1) < self.min_context)
            if len(poor) == 0:
                break
            v, c = self._layout(self._places[attempt], target, context, epoch[poor], index[poor])
            better = v.sum(1) > visible[poor].sum(1)
            visible[poor[better]], corners[poor[better]] = v[better], c[better]
        empty = np.flatnonzero(~visible.any(1))
        if len(empty):  # all blocks onto the first one: at least one token stays outside it
            corners[empty] = corners[empty, :1]
            visible[empty] = ~cover(corners[empty], target, self.grid)
        cols = self.grid[1]
        offsets = (np.arange(target[0])[:, None] * cols + np.arange(target[1])).ravel()
        top_left = corners[..., 0] * cols + corners[..., 1]
        return visible, top_left[..., None] + offsets

    def _layout(self, stream, target, context, epoch, index):
        """One draw: (visible bool (B, N), corners int64 (B, M, 2) as (row, column))."""
        u = draws.uniform(stream, epoch, index, 2 * (self.blocks + 1))
        u = u.reshape(len(u), self.blocks + 1, 2)
        room = np.array([self.grid[0] - target[0] + 1, self.grid[1] - target[1] + 1])
        corners = (u[:, : self.blocks] * room).astype(np.int64)
        visible = ~cover(corners, target, self.grid)
        if context != self.grid:
            room = np.array([self.grid[0] - context[0] + 1, self.grid[1] - context[1] + 1])
            corner = (u[:, self.blocks :] * room).astype(np.int64)
            visible &= cover(corner, context, self.grid)
        return visible, corners

    def context(
        self, visible: np.ndarray, length: int, step: int, epoch: np.ndarray, index: np.ndarray
    ) -> np.ndarray:
        """Keep ``length`` visible tokens a sample: the first ones in a random order of the grid.

        The order is drawn for the step; every sample enters it at a place of its own.
        """
        n = visible.shape[1]
        order = np.argsort(draws.uniform(self._order, step, 0, n)[0])
        enter = (draws.uniform(self._enter, epoch, index, 1)[:, 0] * n).astype(np.int64)
        return first_in_order(visible, length, order, enter)

    def __call__(self, step: int, epoch: np.ndarray, index: np.ndarray) -> BlockMasks:
        """Masks of one batch whose samples all live in this process."""
        visible, targets = self.visible(step, epoch, index)
        length = int(visible.sum(1).min())
        return BlockMasks(self.context(visible, length, step, epoch, index), targets)
