"""Figures that show the samples themselves: what lies near what, and what is hidden.

Shapes: n samples, D dimensions, S shown samples, N tokens, H x W x C pixels.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ...figures.mosaic import mosaic, thumbnail
from ...figures.style import COLOURS, literal, message
from ...figures.style import grid as axes_grid
from ...metrics.neighbours import nearest
from .colours import Colours

_BAD = "#a83c00"


def neighbours(
    images: np.ndarray | Colours,
    rows: np.ndarray,
    queries: np.ndarray,
    pool: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str] = (),
    k: int = 5,
) -> Figure:
    """A gallery: each query and its k nearest images of the pool in embedding space.

    A label that differs from the query's is marked. Choose queries before looking: evenly spaced or
    by a counter, never the nicest.

    Args:
        images: uint8 (H, W, C) by number, only those shown are read.
        rows: float (n, D), pooled embeddings.
        queries: sample numbers (S,), of test. pool: sample numbers (P,), of train.
        labels: int (n,), -1 = none. names: of the classes; empty = their numbers.
    """
    if min(len(queries), len(pool)) == 0:
        return message("no samples to show")
    shown = np.column_stack([queries, nearest(rows, queries, pool, k)])
    tiles = np.array([[thumbnail(images[sample]) for sample in line] for line in shown])
    figure, ((axes,),) = axes_grid(1, 1, 0.75 * shown.shape[1], 0.9 * len(shown) + 0.3)
    places, unit = mosaic(axes, tiles, above=0.3)
    for line, samples in zip(places, shown, strict=True):
        for rank, ((x, y), sample) in enumerate(zip(line, samples, strict=True)):
            label, same = labels[sample], labels[sample] == labels[samples[0]]
            text = "" if label < 0 else str(names[label]) if len(names) > label else str(label)
            wrong = rank > 0 and not same and label >= 0
            mark = {"color": _BAD, "fontweight": "bold"} if wrong else {"color": "black"}
            text = literal(("≠ " if wrong else "") + text, 10)
            axes.text(x, y - 0.06 * unit, text, fontsize=7, va="bottom", **mark)
    (query_x, top), (near_x, _) = places[0, :2]
    axes.text(query_x, top - 0.4 * unit, "test", fontsize=8)
    axes.text(near_x, top - 0.4 * unit, "nearest in train, nearest first", fontsize=8)
    return figure


def masks_on_samples(
    images: np.ndarray, context: np.ndarray, targets: np.ndarray, grid: tuple[int, int]
) -> Figure:
    """What the encoder sees of each image and what it shall predict.

    First line: the image; second: its context, the rest faded; third: the targets, framed, the rest
    faded.

    Args:
        images: uint8 (S, H, W, C).
        context: int (S, n), token numbers, row-major in the grid.
        targets: int (S, blocks, m), token numbers.
        grid: tokens down and across; divides H and W.
    """
    if len(images) == 0:
        return message("no samples to show")
    parts = (
        lambda image, context, hidden: image,
        lambda image, context, hidden: _faded(image, np.unique(context), grid),
        lambda image, context, hidden: _faded(image, np.unique(hidden), grid),
    )
    samples = list(zip(images, context, targets, strict=True))
    tiles = np.array([[thumbnail(part(*sample)) for sample in samples] for part in parts])
    figure, ((axes,),) = axes_grid(1, 1, 0.75 * len(images) + 0.6, 2.4)
    places, unit = mosaic(axes, tiles, above=0.0)
    high, wide = (size / n for size, n in zip(tiles.shape[2:4], grid, strict=True))
    for (x, y), blocks in zip(places[2], targets, strict=True):
        for colour, block in zip(COLOURS * 2, blocks, strict=False):
            down, across = np.divmod(np.unique(block), grid[1])
            corner = (x + across.min() * wide, y + down.min() * high)
            size = (np.ptp(across) + 1) * wide, (np.ptp(down) + 1) * high
            axes.add_patch(Rectangle(corner, *size, fill=False, ec=colour, lw=1.6, clip_on=False))
    for (x, y), text in zip(places[:, 0], ("image", "context", "targets"), strict=True):
        axes.text(x - 0.1 * unit, y + 0.5 * unit, text, ha="right", va="center", fontsize=8)
    return figure


def _faded(image: np.ndarray, tokens: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """The image where ``tokens`` lie, nearly white elsewhere."""
    keep = np.zeros(grid[0] * grid[1], bool)
    keep[tokens] = True
    keep = keep.reshape(grid).repeat(image.shape[0] // grid[0], 0).repeat(image.shape[1] // grid[1], 1)
    pale = 255 - (255 - image.astype(np.float64)) * 0.08
    return np.where(keep[..., None], image, pale.round().astype(np.uint8))
