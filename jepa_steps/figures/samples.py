"""Figures that show the samples themselves: what lies near what, and what is hidden.

Shapes: n samples, D dimensions, S shown samples, N tokens, H x W x C pixels.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .style import COLOURS, literal, message
from .style import grid as axes_grid

_SIDE = 40  # pixels an image is reduced to: a gallery stays small in bytes whatever the data
_BAD = "#a83c00"


def thumbnail(image: np.ndarray, side: int = _SIDE) -> np.ndarray:
    """uint8 (H, W, C) reduced by averaging whole blocks until it fits into ``side`` pixels; the rest
    that fills no block is cut off. Grey is repeated to RGB."""
    step = -(-max(image.shape[:2]) // side)
    height, width = (size // step * step for size in image.shape[:2])
    blocks = image[:height, :width].reshape(height // step, step, width // step, step, -1)
    small = blocks.mean((1, 3)).round().astype(np.uint8)
    return np.repeat(small, 3, axis=2) if small.shape[2] == 1 else small


def nearest(rows: np.ndarray, queries: np.ndarray, pool: np.ndarray, k: int) -> np.ndarray:
    """The k members of ``pool`` nearest to each query by cosine, nearest first.

    Args:
        rows: float (n, D). queries, pool: sample numbers (S,) and (P,).

    Returns:
        int64 (S, k), sample numbers; ties go to the lower place in the pool.
    """
    unit = [np.asarray(rows[index], np.float64) for index in (queries, pool)]
    unit = [x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in unit]
    order = np.argsort(-(unit[0] @ unit[1].T), axis=1, kind="stable")
    return np.asarray(pool)[order[:, :k]]


def neighbours(
    images: np.ndarray,
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
        images: uint8 (n, H, W, C), only those shown are read.
        rows: float (n, D), pooled embeddings.
        queries: sample numbers (S,), of test. pool: sample numbers (P,), of train.
        labels: int (n,), -1 = none. names: of the classes; empty = their numbers.
    """
    if min(len(queries), len(pool)) == 0:
        return message("no samples to show")
    near = nearest(rows, queries, pool, k)
    shown = np.column_stack([queries, near])
    figure, panels = axes_grid(*shown.shape, 0.85 * shown.shape[1], 0.95 * len(shown))
    for line, samples in zip(panels, shown, strict=True):
        for place, (axes, sample) in enumerate(zip(line, samples, strict=True)):
            _image(axes, images[sample])
            label, same = labels[sample], labels[sample] == labels[samples[0]]
            text = "" if label < 0 else str(names[label]) if len(names) > label else str(label)
            wrong = place > 0 and not same and label >= 0
            mark = {"color": _BAD, "fontweight": "bold"} if wrong else {"color": "black"}
            axes.set_title(literal(("≠ " if wrong else "") + text, 10), fontsize=7, pad=2, **mark)
    panels[0, 0].annotate("test", (0.5, 1.45), xycoords="axes fraction", ha="center", fontsize=8)
    panels[0, 1].annotate(
        "nearest in train, nearest first", (0, 1.45), xycoords="axes fraction", fontsize=8
    )
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
    figure, panels = axes_grid(3, len(images), 0.9 * len(images) + 0.6, 2.9)
    for column, image, seen, hidden in zip(panels.T, images, context, targets, strict=True):
        _image(column[0], image)
        _image(column[1], _faded(image, np.unique(seen), grid))
        _image(column[2], _faded(image, np.unique(hidden), grid))
        high, wide = (size / n for size, n in zip(image.shape[:2], grid, strict=True))
        for colour, block in zip(COLOURS * 2, hidden, strict=False):
            down, across = np.divmod(np.unique(block), grid[1])
            corner = (across.min() * wide - 0.5, down.min() * high - 0.5)
            size = (np.ptp(across) + 1) * wide, (np.ptp(down) + 1) * high
            column[2].add_patch(Rectangle(corner, *size, fill=False, ec=colour, lw=1.6, clip_on=False))
    for axes, text in zip(panels[:, 0], ("image", "context", "targets"), strict=True):
        axes.set_ylabel(text, rotation=0, ha="right", va="center", fontsize=8)
    return figure


def _faded(image: np.ndarray, tokens: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """The image where ``tokens`` lie, nearly white elsewhere."""
    keep = np.zeros(grid[0] * grid[1], bool)
    keep[tokens] = True
    keep = keep.reshape(grid).repeat(image.shape[0] // grid[0], 0).repeat(image.shape[1] // grid[1], 1)
    pale = 255 - (255 - image.astype(np.float64)) * 0.08
    return np.where(keep[..., None], image, pale.round().astype(np.uint8))


def _image(axes, image: np.ndarray) -> None:
    """Draw on the image's own pixel scale, so that frames fall on token borders."""
    height, width = image.shape[:2]
    axes.imshow(
        thumbnail(image), extent=(-0.5, width - 0.5, height - 0.5, -0.5), interpolation="nearest"
    )
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color("#bbbbbb")
