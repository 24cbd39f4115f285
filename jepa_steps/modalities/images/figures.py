"""Pictures of images, of what is hidden in them, and of what lies near them."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from ...config.base import both
from ...data.masks import MultiBlockMasks
from ...draws import evenly
from ...engine.schedules import target_blocks
from ...figures.style import COLOURS, message
from ...figures.style import grid as axes_grid
from .colours import Colours
from .galleries import masks_on_samples, neighbours
from .settings import ImageJepa
from .store import ImageStore, open_store

SHOWN = 6  # images in a figure
POOL = 25_600  # images among which neighbours are sought
SAMPLES = 8


def pictures(
    train: object, description: dict[str, Any], data: Path, embeddings: np.ndarray
) -> dict[str, Figure]:
    """masks, samples (masks on images) and neighbours, by name."""
    store = open_store(data)
    nearest = _neighbours(store, embeddings)
    if not isinstance(train, ImageJepa):
        return {name: message("not trained: nothing is hidden") for name in ("masks", "samples")} | {
            "neighbours": nearest
        }
    grid = tuple(side // train.model.patch_size for side in both(description["image_size"]))
    return {
        "masks": masks(train, grid),
        "samples": _masked_samples(train, grid, store),
        "neighbours": nearest,
    }


def _neighbours(store: ImageStore, embeddings: np.ndarray) -> Figure:
    queries, pool = evenly(store.rows("test"), SHOWN), evenly(store.rows("train"), POOL)
    return neighbours(Colours(store), embeddings, queries, pool, store.labels, store.manifest["classes"])


def _masked_samples(train: ImageJepa, grid: tuple[int, int], store: ImageStore) -> Figure:
    """Context and targets of the last batch's masks on training images."""
    index = evenly(store.rows("train"), SHOWN)
    sampler = MultiBlockMasks.of(train.masks, grid, train.seed)
    drawn = sampler(train.steps - 1, np.zeros(len(index), np.int64), index)
    return masks_on_samples(Colours(store)[index], drawn.context, drawn.targets, grid)


def masks(train: ImageJepa, grid: tuple[int, int]) -> Figure:
    """Context and target tokens of 8 samples in the first, the middle and the last batch."""
    sampler = MultiBlockMasks.of(train.masks, grid, train.seed)
    colours = ListedColormap(["white", COLOURS[0], COLOURS[1]])
    figure, panels = axes_grid(3, SAMPLES, 7.2, 3.2)
    index = np.arange(SAMPLES)
    for step, row in zip((0, train.steps // 2, train.steps - 1), panels, strict=True):
        now = target_blocks(step, train.steps, train.masks)
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
