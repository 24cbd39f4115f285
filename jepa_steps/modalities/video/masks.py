"""What is hidden of clips: blocks over all frames, or later frames.

Shapes: B samples, N tokens of the grid time x height x width, K context tokens, M target blocks, T
tokens per block.
"""

from collections.abc import Callable

import numpy as np

from ... import draws
from ...data.union_masks import UnionMasks
from ...engine.schedules import linear, target_blocks
from .times import past_and_future
from .training import HiddenBlocks, VideoJepa, VideoMasks


class ClipMasks:
    """Sampler of context and targets; a pure function of (seed, step, epoch, sample index)."""

    def __init__(self, train: VideoJepa, grid: tuple[int, int, int]):
        self._masks, self._steps, self._grid, self._task = train.masks, train.steps, grid, train.task
        self._cuts = draws.key(train.seed, "past of clips")
        kinds = {"short": train.masks.short, "long": train.masks.long}
        self._kinds = {name: kind for name, kind in kinds.items() if kind is not None}
        self._samplers = {
            name: union(train.masks, kind, grid, train.seed, name) for name, kind in self._kinds.items()
        }

    def scheduled(self, step: int) -> dict[str, float]:
        """What the curriculum says of optimizer step ``step``, by its columns in metrics.csv."""
        if self._task == "future":
            return {"horizon": self._horizon(step)}
        now = {}
        for name, kind in self._kinds.items():
            blocks = target_blocks(step, self._steps, kind)
            now |= {f"{name}_{column}": value for column, value in blocks.items()}
        return now

    def __call__(
        self, number: int, step: int, epoch: np.ndarray, index: np.ndarray,
        smallest: Callable[[int], int] = int,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """Context int64 (B, K) and targets int64 (B, M, T) of batch ``number`` at an optimizer step.

        Args:
            smallest: gives the least of a number over the ranks that share the batch.
        """
        if self._task == "future":
            return self._future(number, step, len(index))
        names = list(self._kinds)
        name = names[number % len(names)]
        now = target_blocks(step, self._steps, self._kinds[name])
        scale = (now["mask_scale_low"], now["mask_scale_high"])
        sampler = self._samplers[name].with_blocks(int(now["mask_blocks"]), scale)
        context, targets = sampler.seen_and_hidden(sampler.layout(number, epoch, index), smallest)
        return context, targets[:, None]

    def _horizon(self, step: int) -> int:
        m, most = self._masks, self._grid[0] - 1
        last = min(m.horizon or most, most)
        first = min(m.first_horizon or last, last)
        return round(first + linear(step, round(m.ramp * self._steps), 0.0, 1.0) * (last - first))

    def _future(self, number: int, step: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
        times, (low, high) = self._grid[0], self._masks.past
        share = low + draws.uniform(self._cuts, number, 0, 1)[0, 0] * (high - low)
        cut = min(max(1, round(share * times)), times - 1)
        return past_and_future(self._grid, cut, min(self._horizon(step), times - cut), samples)


def union(
    masks: VideoMasks, kind: HiddenBlocks, grid: tuple[int, int, int], seed: int, name: str
) -> UnionMasks:
    """The sampler of short-range or long-range masks that settings describe."""
    ranges = (kind.blocks, kind.scale, masks.time, masks.aspect, masks.min_context)
    return UnionMasks(grid, seed, *ranges, purpose=f"{name}-range masks")
