"""Turning frames as the display matrix of a file says, as a phone writes it."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import av


def display_matrix(frame: "av.VideoFrame") -> np.ndarray | None:
    """The matrix int32 (9,) of a frame; None where it is shown as stored."""
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            return np.frombuffer(bytes(data), np.int32)
    return None


def turned(pixels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Pixels (h, w, C) turned by quarters and mirrored.

    The matrix (a, b, u, c, d, v, x, y, w) puts the pixel (column, row) at (a column + c row, b column +
    d row), in units of 2^-16.

    Raises:
        ValueError: a matrix that turns by other than quarters.
    """
    a, b, c, d = (int(matrix[i]) for i in (0, 1, 3, 4))
    small = max(abs(a), abs(b), abs(c), abs(d)) / 100
    upright, aside = (
        abs(b) <= small and abs(c) <= small,
        abs(a) <= small and abs(d) <= small,
    )
    if small == 0 or upright == aside:
        raise ValueError(
            "a display matrix that does not turn by quarters; expected 0, 90, 180 or 270 degrees"
        )
    if aside:
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    return pixels[:: 1 if d > 0 else -1, :: 1 if a > 0 else -1]
