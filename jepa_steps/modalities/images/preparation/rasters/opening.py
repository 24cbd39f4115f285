"""The image of a file, by its ending and what it holds."""

from pathlib import Path

from .....errors import InputError
from ...dataset import ImageDataset
from . import arrays, pillow, tiff
from .raster import Raster

TIFFS = (".tif", ".tiff", ".btf", ".tf8")
GDAL = (".jp2", ".img", ".vrt")
ARRAYS = {".npy": arrays.npy, ".npz": arrays.npz, ".zarr": arrays.zarr}


def is_image(entry: Path) -> bool:
    """Whether an entry of a folder is an image: a file, or a .zarr folder."""
    return entry.suffix.lower() == ".zarr" or not entry.is_dir()


def for_pillow(path: Path) -> bool:
    """Whether Pillow reads a file without loss, as a picture or as it is; only endings that leave it
    open are looked at."""
    ending = path.suffix.lower()
    if ending in ARRAYS:
        return False
    if ending not in (*TIFFS, *GDAL):
        return True
    return is_picture(path) or _is_plain(path)


def is_picture(path: Path) -> bool:
    """Whether a file is an 8-bit picture that converts to grey and RGB, and names no no-data value."""
    if path.suffix.lower() in ARRAYS or not pillow.is_picture(path):
        return False
    return path.suffix.lower() not in TIFFS or not tiff.names_no_data(path)


def open_raster(path: Path, dataset: ImageDataset) -> Raster:
    """A file's image, its values not yet read.

    Raises:
        InputError: empty, damaged, of a form that cannot be told, or a library is missing.
    """
    if path.is_file() and path.stat().st_size == 0:
        raise InputError(f"{path}: empty file (0 bytes), expected an image")
    try:
        found = _opened(path, dataset)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    height, width, _ = found.shape
    if not found.windowed and height * width > dataset.max_pixels:
        raise InputError(
            f"{path}: {width}x{height} = {width * height} pixels, expected at most {dataset.max_pixels} "
            "(max_pixels); raise it if the file is to be trusted"
        )
    return found


def _opened(path: Path, dataset: ImageDataset) -> Raster:
    ending = path.suffix.lower()
    if ending in ARRAYS:
        return ARRAYS[ending](path, dataset.channels, dataset.channel_axis)
    if ending in (*TIFFS, *GDAL) and not _is_plain(path):
        return tiff.geo(path) if ending in GDAL or tiff.is_geotiff(path) else tiff.raster(path)
    return pillow.raster(path, dataset.max_pixels)


def _is_plain(path: Path) -> bool:
    """Whether Pillow reads all that a file holds, as it is."""
    if not pillow.is_plain(path):
        return False
    return path.suffix.lower() not in TIFFS or not tiff.names_no_data(path)
