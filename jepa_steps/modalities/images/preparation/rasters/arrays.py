"""Files of one array: .npy, .npz, and .zarr folders, OME-Zarr among them."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from .....arrays import map_array
from .....errors import InputError
from ...arrays import read_npz
from ..pictures import cannot
from .extras import imported
from .raster import Raster, Window, channels_last, kept_as, over_array


def npy(path: Path, channels: int | None, axis: str | None) -> Raster:
    """An .npy of one image, mapped.

    Raises:
        InputError: damaged. ValueError: another shape, or no numbers.
    """
    return over_array(map_array(path), channels, axis)


def npz(path: Path, channels: int | None, axis: str | None) -> Raster:
    """The one array of an .npz, or the one called image.

    Raises:
        InputError: damaged, or several arrays. ValueError: another shape, or no numbers.
    """
    arrays = read_npz(path)
    if len(arrays) > 1 and "image" not in arrays:
        raise InputError(
            f"{path}: found arrays {', '.join(sorted(arrays)[:6])}, expected one, or one called image"
        )
    (array,) = [arrays["image"]] if "image" in arrays else arrays.values() or [None]
    if array is None:
        raise InputError(f"{path}: found no array, expected one")
    return over_array(array, channels, axis)


def zarr(path: Path, channels: int | None, axis: str | None) -> Raster:
    """A .zarr folder: one array, or the finest level of an OME-Zarr image.

    Raises:
        InputError: zarr is not installed, unreadable, or more axes than channels. ValueError: another
        shape, or no numbers.
    """
    library = imported("zarr", "zarr", path)
    try:
        found = library.open(path, mode="r")
        plain = isinstance(found, library.Array)
        array, axes, labels = (found, None, ()) if plain else _finest(path, found)
    except InputError:
        raise
    except Exception as error:  # a damaged folder raises what its reader raises
        raise cannot(path, error) from None
    if axes is None:
        return _lazy(path, array, channels, axis)
    axes = [a["name"] if isinstance(a, dict) else a for a in axes]
    return _named(path, array, [str(name).lower() for name in axes], labels)


def _finest(path: Path, group: Any) -> tuple[Any, list | None, tuple[str, ...]]:
    """(array, its axes, labels of its channels)."""
    told = dict(group.attrs)
    scales = (told.get("ome") or told).get("multiscales")
    if not scales:
        raise InputError(f"{path}: found a group without multiscales, expected an array or an OME-Zarr")
    name = scales[0]["datasets"][0]["path"]
    if name not in group:
        raise InputError(f"{path}: found no array {name!r}, which its multiscales name")
    described = ((told.get("ome") or told).get("omero") or {}).get("channels") or []
    labels = tuple(str(channel["label"]) for channel in described if "label" in channel)
    return group[name], scales[0].get("axes"), labels


def _lazy(path: Path, array: Any, channels: int | None, axis: str | None) -> Raster:
    """Over an array whose axes have no names, and of which a window is read alone."""
    shape, first = channels_last(array.shape, channels, axis)
    kept_as(array.dtype)

    def read(window: Window) -> np.ndarray:
        part = _read(path, array, (slice(None), *window) if first else window)
        return np.moveaxis(part, 0, -1) if first else part.reshape(*part.shape[:2], -1)

    return Raster(shape, np.dtype(array.dtype), f"{array.dtype} Zarr array {array.shape}", read, True)


def _named(path: Path, array: Any, axes: list[str], names: tuple[str, ...]) -> Raster:
    """Over an array whose axes have names, as OME-Zarr's do: t, c, z, y, x."""
    told = f"axes {''.join(axes)} {array.shape}"
    if len(axes) != array.ndim or axes[-2:] != ["y", "x"]:
        raise InputError(f"{path}: found {told}, expected y and x as the last two")
    long = [i for i in range(array.ndim - 2) if array.shape[i] > 1]
    if len(long) > 1:
        raise InputError(
            f"{path}: found {told}, expected one axis beside y and x, the channels; save one slice or a "
            "projection"
        )
    height, width = array.shape[-2:]

    def read(window: Window) -> np.ndarray:
        part = _read(path, array, (..., *window))
        return np.moveaxis(part.reshape(-1, *part.shape[-2:]), 0, -1)

    shape = (height, width, math.prod(array.shape[:-2]))
    layout = f"axis {axes[long[0]]}" if long and axes[long[0]] != "c" else ""
    names = names if len(names) == shape[2] else ()
    what = f"{array.dtype} OME-Zarr, {told}"
    return Raster(shape, np.dtype(array.dtype), what, read, True, names=names, layout=layout)


def _read(path: Path, array: Any, part: tuple) -> np.ndarray:
    try:
        return np.asarray(array[part])
    except Exception as error:  # as above
        raise cannot(path, error) from None
