"""Many small images in one, which takes far fewer bytes than one each."""

import numpy as np
from matplotlib.axes import Axes

_SIDE = 32  # pixels an image is reduced to: a gallery stays small in bytes whatever the data


def thumbnail(image: np.ndarray, side: int = _SIDE) -> np.ndarray:
    """uint8 (H, W, C) reduced by averaging whole blocks until it fits into ``side`` pixels; the rest
    that fills no block is cut off. Grey is repeated to RGB."""
    step = -(-max(image.shape[:2]) // side)
    height, width = (size // step * step for size in image.shape[:2])
    blocks = image[:height, :width].reshape(height // step, step, width // step, step, -1)
    small = blocks.mean((1, 3)).round().astype(np.uint8)
    return np.repeat(small, 3, axis=2) if small.shape[2] == 1 else small


def mosaic(axes: Axes, tiles: np.ndarray, above: float) -> tuple[np.ndarray, float]:
    """Draw tiles uint8 (R, C, h, w, 3) as one image, which takes far fewer bytes than one a tile.

    Args:
        above: room over each tile, in heights of a tile.

    Returns:
        the tiles' upper left corners float64 (R, C, 2) as (x, y), and the height of a tile.
    """
    rows, columns, height, width, _ = tiles.shape
    gap, room = max(1, width // 10), max(1, round(height * (above + 0.1)))
    canvas = np.full((rows * (height + room), columns * (width + gap), 3), 255, np.uint8)
    places = np.empty((rows, columns, 2))
    for r, c in np.ndindex(rows, columns):
        x, y = c * (width + gap), r * (height + room) + room
        canvas[y : y + height, x : x + width] = tiles[r, c]
        places[r, c] = x - 0.5, y - 0.5
    axes.imshow(canvas, interpolation="none")  # "none" keeps the image's own pixels in the file
    axes.axis("off")
    return places, float(height)
