"""An image whose values were not read yet, and what its values are kept as.

Shapes: H x W pixels, C channels, h x w pixels of a window.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Window = tuple[slice, slice]
WHOLE: Window = (slice(None), slice(None))
_COARSE = 20  # a spread of fewer rounding errors than this is lost
_EXACT = 2**24  # the whole numbers up to here are float32s


@dataclass(frozen=True)
class Raster:
    """One image as its file holds it.

    shape: (H, W, C). source: type of the values in the file. what: how it was found, for messages.
    read: (rows, columns) -> values (h, w, C) of that type.
    windowed: whether a window can be read alone; else the whole image is decoded.
    no_data: the value that the file says means "not measured". names: of channels, where the file has
    them. layout: what must be the same in all files for their values to mean the same: an axis that is
    none of channels, such as depth, and scales that values are to be multiplied by.
    """

    shape: tuple[int, int, int]
    source: np.dtype
    what: str
    read: Callable[[Window], np.ndarray]
    windowed: bool = False
    no_data: float | None = None
    names: tuple[str, ...] = ()
    layout: str = ""

    @property
    def dtype(self) -> str:
        """What values are kept as; see ``kept_as``."""
        return kept_as(self.source)


def kept_as(source: np.dtype) -> str:
    """uint8 and uint16 stay; other integers and floating-point numbers become float32.

    Raises:
        ValueError: no numbers.
    """
    if source.kind == "u" and source.itemsize < 4:
        return f"uint{8 * source.itemsize}"
    if source.kind in "fiu":
        return "float32"
    raise ValueError(f"found values of type {source}, expected integers or floating-point numbers")


def typed(values: np.ndarray, dtype: str, no_data: float | None) -> np.ndarray:
    """Values as uint8, uint16 or float32, the same numbers; in float32, ``no_data`` becomes NaN.

    Raises:
        ValueError: numbers that the type does not hold, or infinity.
    """
    if dtype != "float32":
        return np.ascontiguousarray(values, dtype=dtype)
    if values.dtype.kind in "iu" and values.dtype.itemsize > 2:
        most = max(abs(int(values.min())), abs(int(values.max())))
        if most > _EXACT:
            raise ValueError(
                f"found {values.dtype} values up to {most}, more than float32 holds exactly"
            )
    with np.errstate(over="ignore", invalid="ignore"):
        found = values.astype(np.float32)
        if no_data is not None:
            # Compared in both types: -1.8e308 is no float32, and -3.4e38 is written in fewer digits.
            found[(values == no_data) | (found == np.float32(no_data))] = np.nan
    if values.dtype.itemsize > 4 and values.dtype.kind == "f":
        _refuse_rounding(values, found)
    if np.isinf(found).any():
        raise ValueError(
            "found infinite values, expected finite ones or NaN; mend them, or name them as no_data"
        )
    return found


def _refuse_rounding(values: np.ndarray, found: np.ndarray) -> None:
    """Raises ValueError where float32 rounds away what tells values (float64) apart."""
    known = np.isfinite(found)
    if not known.any():
        return
    off, spread = np.abs(values[known] - found[known]).max(), values[known].std()
    if 0 < spread < _COARSE * off:
        raise ValueError(
            f"found {values.dtype} values that differ by {spread:.3g} around {values[known].mean():.6g}"
            "; float32 does not hold such differences: subtract an offset"
        )


def channels_last(
    shape: tuple[int, ...], channels: int | None, asked: str | None
) -> tuple[tuple[int, int, int], bool]:
    """((H, W, C), whether the channels come first) of an array of two or three axes.

    Raises:
        ValueError: another number of axes, or no way to tell which axis is which.
    """
    if len(shape) == 2:
        return (*shape, 1), False
    if len(shape) != 3:
        raise ValueError(f"found shape {shape}, expected (H, W), (H, W, C) or (C, H, W)")
    first = asked == "first" if asked else _first(shape, channels)
    return ((*shape[1:], shape[0]) if first else shape), first


def _first(shape: tuple[int, ...], channels: int | None) -> bool:
    ends = (shape[0], shape[2])
    if channels is not None and (ends[0] == channels) != (ends[1] == channels):
        return ends[0] == channels
    pictures = [n in (1, 3, 4) for n in ends]
    if pictures[0] != pictures[1]:
        return pictures[0]
    if ends[0] == ends[1] or shape[1] <= min(ends):
        if ends[1] in (1, 3, 4):  # as pictures are stored; (3, 3, 3) is one
            return False
        raise ValueError(
            f"found shape {shape}, of which any axis may be the channels; set channel_axis: first or "
            "last"
        )
    return ends[0] < ends[1]


def over_array(
    array: np.ndarray, channels: int | None, asked: str | None, windowed: bool = True
) -> Raster:
    """A raster over an array (H, W), (H, W, C) or (C, H, W), in memory or mapped.

    Raises:
        ValueError: another shape, or no numbers.
    """
    shape, first = channels_last(array.shape, channels, asked)
    kept_as(array.dtype)

    def read(window: Window) -> np.ndarray:
        part = array[(slice(None), *window)] if first else array[window]
        return np.moveaxis(part, 0, -1) if first else part.reshape(*part.shape[:2], -1)

    axis = f"channels on the {'first' if first else 'last'} axis" if array.ndim == 3 else ""
    what = f"{array.dtype} array {array.shape}{', ' * bool(axis)}{axis}"
    return Raster(shape, array.dtype, what, read, windowed)
