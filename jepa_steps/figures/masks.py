"""What is hidden, and how it changes over training."""

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from ..config import JepaTraining
from ..data.masks import MultiBlockMasks
from ..engine import schedules
from .style import COLOURS
from .style import grid as axes_grid

SAMPLES = 8


def masks(train: JepaTraining, grid: tuple[int, int]) -> Figure:
    """Context and target tokens of 8 samples in the first, the middle and the last batch."""
    sampler = MultiBlockMasks.of(train.masks, grid, train.seed)
    colours = ListedColormap(["white", COLOURS[0], COLOURS[1]])
    figure, panels = axes_grid(3, SAMPLES, 7.2, 3.2)
    index = np.arange(SAMPLES)
    for step, row in zip((0, train.steps // 2, train.steps - 1), panels, strict=True):
        now = schedules.at(step, train)
        blocks, scale = int(now["mask_blocks"]), (now["mask_scale_low"], now["mask_scale_high"])
        drawn = sampler.with_targets(blocks, scale)(step, np.zeros(SAMPLES, int), index)
        for axes, context, targets in zip(row, drawn.context, drawn.targets, strict=True):
            tokens = np.zeros(grid[0] * grid[1], int)
            tokens[context] = 1
            tokens[targets.ravel()] = 2
            axes.imshow(tokens.reshape(grid), cmap=colours, vmin=0, vmax=2)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(True)
        size = f"{scale[0]:.2f}–{scale[1]:.2f}" if scale[0] < scale[1] else f"{scale[0]:.2f}"
        row[0].set_ylabel(
            f"step {step + 1}\n{blocks} x {size}", rotation=0, ha="right", va="center", fontsize=8
        )
    return figure
