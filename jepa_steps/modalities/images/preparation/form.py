"""What the pixels of a data set are: found from its first readable image, asked of all others."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....errors import InputError
from ..dataset import ImageDataset
from .items import Item, picture, raster
from .rasters.raster import Raster

_LOOKED_AT = 100  # images; after so many unreadable ones the settings alone decide
_WIDTH = {"uint8": 0, "uint16": 1, "float32": 2}


@dataclass(frozen=True)
class Form:
    """What every image of a data set is stored as.

    dtype, channels: of the store. picture: whether images are 8-bit pictures, converted to grey or RGB;
    else all values are kept as they are.
    source: type of the values in the files. what: how the first image was found. first: its name.
    no_data: the value that means "not measured"; tag: the one that the files name. names: of channels,
    where the files have them. layout: as of ``Raster``.
    """

    dtype: str
    channels: int
    picture: bool
    source: str = "uint8"
    what: str = ""
    first: str = ""
    no_data: float | None = None
    names: tuple[str, ...] = ()
    tag: float | None = None
    layout: str = ""

    def spoken(self, dataset: ImageDataset) -> list[str]:
        """What was found, a line each; nothing of 8-bit pictures, which have always been RGB."""
        if self.picture:
            return []
        channels = f"{self.channels} channel{'s' * (self.channels > 1)}"
        found = [f"pixels: {self.dtype}, {channels} ({self.first}: {self.what})"]
        if self.source != self.dtype:
            how = "scaled from" if self.dtype == "uint8" else "the exact values of"
            found[0] += f", {how if self.source != 'float64' else 'rounded from'} {self.source}"
        if self.no_data is not None:
            origin = "no_data" if dataset.no_data is not None else "as the files say"
            if dataset.no_data is not None and self.tag not in (None, self.no_data):
                origin += f"; the files name {self.tag:g}, which counts as a value"
            found.append(f"missing values: {self.no_data:g} ({origin})")
        return found


def find_form(items: list[tuple[Item, str]], dataset: ImageDataset) -> Form:
    """From the first image that can be read; where there is none among the first, from the settings.

    Raises:
        InputError: it is not what the settings ask for.
    """
    for item, name in items[:_LOOKED_AT]:
        try:
            if takes_pictures(dataset) and picture(item):
                return Form("uint8", dataset.channels or 3, True, first=name)
            found = raster(item, dataset)
            kept = found.dtype
            if dataset.eight_bit and takes_pictures(dataset) and becomes_picture(found):
                return Form("uint8", dataset.channels or 3, True, first=name)
        except (InputError, ValueError):  # which is said, or skipped, when images are decoded
            continue
        return _of_raster(found, kept, item if isinstance(item, Path) else name, dataset)
    return Form("uint8", dataset.channels or 3, takes_pictures(dataset))


def becomes_picture(found: Raster) -> bool:
    """Whether scaling to 8 bit makes grey or RGB of an image."""
    return found.dtype != "float32" and found.shape[2] in (1, 3)


def takes_pictures(dataset: ImageDataset) -> bool:
    """Whether images may be converted, as the settings are."""
    plain = dataset.channel_pattern is None and dataset.no_data is None
    return plain and dataset.dtype in (None, "uint8") and dataset.channels in (None, 1, 3)


def _of_raster(found: Raster, kept: str, name: object, dataset: ImageDataset) -> Form:
    dtype = "uint8" if dataset.eight_bit else dataset.dtype or kept
    channels = found.shape[2]
    if dataset.channels not in (None, channels):
        raise InputError(
            f"{name}: found {channels} channels ({found.what}), expected channels: {dataset.channels}"
        )
    if dataset.channel_names is not None and len(dataset.channel_names) != channels:
        raise InputError(
            f"{name}: found {channels} channels ({found.what}), expected {len(dataset.channel_names)}, "
            "as channel_names has"
        )
    if _WIDTH[dtype] < _WIDTH[kept] and (dtype, kept) != ("uint8", "uint16"):
        raise InputError(
            f"{name}: found {found.source} values, which dtype {dtype} cannot hold; set dtype: {kept}"
        )
    no_data = _no_data(found, dtype, name, dataset)
    return Form(
        dtype,
        channels,
        False,
        str(found.source.newbyteorder("=")),
        found.what,
        str(name),
        no_data,
        found.names,
        found.no_data,
        found.layout,
    )


def _no_data(found: Raster, dtype: str, name: object, dataset: ImageDataset) -> float | None:
    asked = dataset.no_data if dataset.no_data is not None else found.no_data
    if asked is None or np.isnan(asked):
        return None
    if found.source.kind == "f":
        return float(asked)
    ends = np.iinfo(found.source)
    held = float(asked).is_integer() and ends.min <= asked <= ends.max
    if not held and dataset.no_data is None:
        return None  # the files name a value that none of theirs can be
    if not held:
        raise InputError(f"no_data: found {asked:g}, which no {found.source} value of {name} can be")
    if dtype == "uint8" and found.dtype == "uint16":
        raise InputError(
            f"no_data: found {asked:g} with {found.source} values scaled to 8 bit; set dtype: uint16"
        )
    return float(asked)
