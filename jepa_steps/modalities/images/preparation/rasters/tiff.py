"""TIFF and BigTIFF beyond 8-bit pictures, by tifffile; GeoTIFF and what else GDAL reads, by rasterio."""

import math
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from .....errors import InputError
from ..pictures import cannot
from .extras import imported
from .raster import Raster, Window

_GEO = (33550, 33922, 34264, 34735)  # pixel scale, tie points, transformation, keys
_CHANNELS = "CSQI"  # axes that are channels or pages; others are depth, time and the like
_NO_DATA = 42113  # GDAL's
_NAME = re.compile(r'<Channel [^>]*?Name="([^"]*)"')  # of OME-XML; no parser, as files may be hostile


def is_geotiff(path: Path) -> bool:
    """Whether a TIFF says where on Earth it lies, or which value means "no data".

    Raises:
        InputError: not a TIFF.
    """
    return not _tags(path).isdisjoint((*_GEO, _NO_DATA))


def names_no_data(path: Path) -> bool:
    """Whether a TIFF says which value means "no data"; raises as ``is_geotiff``."""
    return _NO_DATA in _tags(path)


def _tags(path: Path) -> set[int]:
    try:
        with path.open("rb") as file:
            start = file.read(8)
            start += file.read(8) if 43 in start[2:4] else b""  # BigTIFF's header is longer
            tags = ImageFileDirectory_v2(start)
            file.seek(tags.next)
            tags.load(file)
            return set(tags)
    except Exception as error:  # a damaged file raises what its decoder raises
        raise cannot(path, error) from None


def raster(path: Path) -> Raster:
    """One image of a TIFF: pages, planes or samples are channels.

    Raises:
        InputError: tifffile is not installed; damaged; several images, or more axes than channels.
    """
    tifffile = imported("tifffile", "tiff", path)
    try:
        with tifffile.TiffFile(path) as file:
            found = [(s.shape, s.axes, s.dtype) for s in file.series]
            names = tuple(_NAME.findall(file.ome_metadata or ""))
    except Exception as error:  # as above
        raise cannot(path, error) from None
    if not found:
        raise InputError(f"{path}: found a TIFF without an image")
    if len(set(found)) == 1 and len(found[0][0]) == 2:  # pages without a word on what they are
        found = [((len(found), *found[0][0]), f"Q{found[0][1]}", found[0][2])]
    if len(found) != 1:
        shapes = ", ".join(str(shape) for shape, _, _ in found[:4])
        raise InputError(f"{path}: found {len(found)} images of shapes {shapes}, expected one")
    ((shape, axes, source),) = found
    order = _order(path, shape, axes)
    upright = (shape[order[0]], shape[order[1]], math.prod(shape[i] for i in order[2:]))

    def read(window: Window) -> np.ndarray:
        try:
            with tifffile.TiffFile(path) as file:
                values = np.stack([series.asarray() for series in file.series])
        except Exception as error:  # as above
            raise cannot(path, error) from None
        return values.reshape(shape).transpose(order).reshape(upright)[window]

    layout = "".join(axes[i] for i in order[2:] if shape[i] > 1 and axes[i] not in _CHANNELS)
    names = tuple(names) if len(names) == upright[2] else ()
    what = f"{source} TIFF, {axes} {shape}"
    return Raster(upright, source, what, read, names=names, layout=f"axis {layout}" if layout else "")


def _order(path: Path, shape: tuple[int, ...], axes: str) -> list[int]:
    """Numbers of the axes in the order Y, X, others.

    Raises:
        InputError: no height and width, or more than one further axis.
    """
    if "Y" not in axes or "X" not in axes:
        raise InputError(f"{path}: found axes {axes} {shape}, expected height (Y) and width (X)")
    others = [i for i, axis in enumerate(axes) if axis not in "YX"]
    long = [i for i in others if shape[i] > 1]
    if len(long) > 1:
        raise InputError(
            f"{path}: found axes {axes} {shape}, expected one beside height and width, the channels; "
            "save one slice or a projection"
        )
    return [axes.index("Y"), axes.index("X"), *others]


def geo(path: Path) -> Raster:
    """One image of a file that GDAL reads; windows are read alone.

    Raises:
        InputError: rasterio is not installed, or cannot read the file.
    """
    rasterio = imported("rasterio", "geotiff", path)
    with _opened(rasterio, path) as file:
        sources, names = {np.dtype(t) for t in file.dtypes}, tuple(d for d in file.descriptions if d)
        shape, no_data = (*file.shape, file.count), file.nodata
        scales = {*zip(file.scales, file.offsets, strict=True)} - {(1.0, 0.0)}
    if len(sources) > 1:
        raise InputError(f"{path}: found bands of types {', '.join(map(str, sources))}, expected one")

    def read(window: Window) -> np.ndarray:
        with _opened(rasterio, path) as file:
            rows, columns = (part.indices(n)[:2] for part, n in zip(window, file.shape, strict=True))
            try:
                return np.moveaxis(file.read(window=(rows, columns)), 0, -1)
            except Exception as error:  # as above
                raise cannot(path, error) from None

    (source,) = sources
    names = names if len(names) == shape[2] else ()
    layout = "".join(f"scale {a:g} and offset {b:g}, not applied" for a, b in sorted(scales)[:1])
    what = f"{source} GeoTIFF of {shape[2]} bands{', ' * bool(layout)}{layout}"
    return Raster(shape, source, what, read, True, no_data, names, layout)


def _opened(rasterio: Any, path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            return rasterio.open(path)
    except Exception as error:  # as above
        raise cannot(path, error) from None
