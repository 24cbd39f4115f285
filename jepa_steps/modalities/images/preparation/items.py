"""What a sample is before it is read: a file, an array, a row of a file, one file per channel, a
tile."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ....arrays import map_array
from ....errors import InputError
from ..dataset import ImageDataset
from .rasters import pillow
from .rasters.opening import is_picture, open_raster
from .rasters.raster import Raster, Window, over_array


@dataclass(frozen=True)
class Row:
    """Image ``number`` of an .npy that holds many, (n, H, W) or (n, H, W, C) or (n, C, H, W)."""

    path: Path
    number: int


@dataclass(frozen=True)
class Stack:
    """One file for each channel, in order of the channels."""

    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Tile:
    """A part of an image; rows and columns are (first, end)."""

    item: "Path | np.ndarray | Row | Stack"
    rows: tuple[int, int]
    columns: tuple[int, int]

    @property
    def window(self) -> Window:
        """The part as slices."""
        return slice(*self.rows), slice(*self.columns)


Item = Path | np.ndarray | Row | Stack | Tile


def picture(item: Item) -> bool:
    """Whether an item is an 8-bit picture, which converts to grey and RGB."""
    if isinstance(item, Tile):
        return picture(item.item)
    if isinstance(item, Path):
        return is_picture(item)
    if isinstance(item, np.ndarray):
        return item.dtype == np.uint8 and (item.ndim == 2 or item.shape[-1] in (1, 3, 4))
    return False


def size_of(item: Item, dataset: ImageDataset) -> tuple[int, int]:
    """(H, W) of an item, upright; raises as ``raster``."""
    if isinstance(item, Path) and is_picture(item):
        return pillow.header(item)[1]
    return raster(item, dataset).shape[:2]


def raster(item: Item, dataset: ImageDataset) -> Raster:
    """An item's image, its values not yet read; of a tile, the whole image.

    Raises:
        InputError: unreadable. ValueError: a form that cannot be told.
    """
    if isinstance(item, Tile):
        return raster(item.item, dataset)
    if isinstance(item, Stack):
        return _stacked([open_raster(path, dataset) for path in item.paths], item.paths)
    if isinstance(item, Row):
        array = map_array(item.path)[item.number]
        return over_array(array, dataset.channels, dataset.channel_axis)
    if isinstance(item, np.ndarray):
        return over_array(item, dataset.channels, dataset.channel_axis)
    return open_raster(item, dataset)


def _stacked(rasters: list[Raster], paths: tuple[Path, ...]) -> Raster:
    """One image of one-channel images.

    Raises:
        InputError: a file of several channels, or files of different sizes or types.
    """
    first = rasters[0]
    for found, path in zip(rasters, paths, strict=True):
        if found.shape[2] != 1:
            raise InputError(
                f"{path}: found {found.shape[2]} channels ({found.what}), expected one: "
                "channel_pattern takes a file per channel"
            )
        for name in ("shape", "source", "no_data", "layout"):
            here, there = getattr(found, name), getattr(first, name)
            if here != there:
                raise InputError(f"{path}: found {name} {here}, expected {there} as in {paths[0].name}")

    def read(window: Window) -> np.ndarray:
        return np.concatenate([found.read(window) for found in rasters], axis=2)

    what = f"{first.source}, {len(paths)} files of one channel"
    windowed = all(found.windowed for found in rasters)
    shape = (*first.shape[:2], len(paths))
    return replace(first, shape=shape, read=read, what=what, windowed=windowed, names=())
