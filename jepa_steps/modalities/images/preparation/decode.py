"""One item -> its pixels as the store holds them, or one clear reason why not."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..dataset import ImageDataset
from .fit import fitted
from .form import Form, becomes_picture
from .items import Item, Tile, picture, raster
from .pictures import Squeezed, array_image, brightest, full_scale, open_image, to_pixels
from .rasters.opening import for_pillow
from .rasters.raster import WHOLE, Raster, typed

Range = tuple[int, int]  # full scale of a type that becomes 8 bit, and the largest value
_LAST: dict[object, object] = {}  # the image that the last tile was cut from, as its neighbours are


@dataclass(frozen=True)
class Decoded:
    """One image as the store holds it.

    pixels: (H, W, C) of the form's type. extent: its range, where it became 8 bit. transparent: whether
    it was composed over white. size: (H, W) before it was resized.
    """

    pixels: np.ndarray
    size: tuple[int, int]
    extent: Range | None = None
    transparent: bool = False


def decoded(item: Item, name: str, form: Form, dataset: ImageDataset) -> Decoded:
    """An item as the form of its data set.

    Raises:
        InputError: unreadable. ValueError: not what the other images are, without its name.
    """
    if not form.picture:
        return _values(item, form, dataset)
    image, extent = _picture(item, name, form, dataset)
    pixels = to_pixels(image, dataset.size, form.channels, dataset.max_value, dataset.resize)
    transparent = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    return Decoded(pixels, image.size[::-1], extent, transparent)


def _picture(item: Item, name: str, form: Form, dataset: ImageDataset) -> tuple[Image.Image, Range]:
    """An image that Pillow converts, and its range."""
    if isinstance(item, Tile):
        image, _ = _once(item.item, lambda: _picture(item.item, name, form, dataset))
        (top, bottom), (left, right) = item.rows, item.columns
        image = image.crop((left, top, right, bottom))
        return image, (full_scale(image), brightest(image))
    image = _by_pillow(item, name, dataset)
    if image is None:
        return _scaled(raster(item, dataset), form, dataset)
    if full_scale(image) > 255 and not dataset.eight_bit:
        raise ValueError(_unlike(f"a 16-bit image of mode {image.mode}", form))
    return image, (full_scale(image), brightest(image))


def _by_pillow(item: Item, name: str, dataset: ImageDataset) -> Image.Image | None:
    """An image as Pillow reads it; None where that would lose something."""
    if isinstance(item, np.ndarray) and (picture(item) or (item.dtype == np.uint16 and item.ndim == 2)):
        return array_image(item, name)
    if isinstance(item, Path) and for_pillow(item):
        try:
            return open_image(item, dataset.max_pixels)
        except Squeezed:
            return None
    return None


def _scaled(found: Raster, form: Form, dataset: ImageDataset) -> tuple[Image.Image, Range]:
    """16-bit grey or RGB as 8 bit, where the settings ask for it."""
    if found.source.kind == "f":
        raise ValueError("floating-point pixels, expected 8 or 16 bit; set dtype: float32")
    if not dataset.eight_bit or not becomes_picture(found):
        raise ValueError(_unlike(found.what, form))
    pixels = found.read(WHOLE)
    extent = (255 if found.dtype == "uint8" else 65535), int(pixels.max())
    pixels = pixels if found.dtype == "uint8" else eight_bit(pixels, dataset.max_value)
    return array_image(pixels, found.what), extent


def _unlike(what: str, form: Form) -> str:
    first = f", as {form.first} is" if form.first else ""
    return (
        f"found {what}, expected an 8-bit picture{first}; set dtype: uint8 to scale 16 bit without sign "
        "to 8 bit, or keep one kind of image"
    )


def _values(item: Item, form: Form, dataset: ImageDataset) -> Decoded:
    """All values of an item as they are, resized to the data set's size."""
    found = raster(item, dataset)
    _same(found, form, dataset)
    if isinstance(item, Tile) and not found.windowed:
        pixels = _once(item.item, lambda: found.read(WHOLE))[item.window]
    else:
        pixels = found.read(item.window if isinstance(item, Tile) else WHOLE)
    extent = None
    if form.dtype == "uint8" and found.dtype == "uint16":
        extent = 65535, int(pixels.max())
        pixels = eight_bit(pixels, dataset.max_value)
    pixels = typed(pixels, form.dtype, form.no_data)
    resized = fitted(pixels, dataset.size, dataset.resize, form.no_data)
    return Decoded(resized, pixels.shape[:2], extent)


def _same(found: Raster, form: Form, dataset: ImageDataset) -> None:
    """Raises ValueError where an image's values do not mean what those of the first one mean."""
    as_first = f", as {form.first}" if form.first else ""
    if found.shape[2] != form.channels:
        raise ValueError(
            f"found {found.what}, expected {form.channels} channels{as_first}; if that one is wrong, "
            "set channels to the right number"
        )
    source = str(found.source.newbyteorder("="))
    if form.first and source != form.source:
        raise ValueError(f"found {source} values, expected {form.source}{as_first}")
    tag, known = str(found.no_data), {str(form.tag)}  # as text, since NaN does not equal itself
    if dataset.no_data is not None:
        known |= {"None", str(float(dataset.no_data))}
    if form.first and tag not in known:
        raise ValueError(
            f"found the no-data value {tag}, expected {form.tag}{as_first}; set no_data for all"
        )
    if form.first and found.layout != form.layout:
        here, there = (layout or "none" for layout in (found.layout, form.layout))
        raise ValueError(f"found the layout {here}, expected {there}{as_first}")
    if found.names and form.names and found.names != form.names:
        here, there = (", ".join(names) for names in (found.names, form.names))
        raise ValueError(f"found channels {here}, expected {there}{as_first}")


def eight_bit(pixels: np.ndarray, max_value: int | None) -> np.ndarray:
    """uint16 scaled to uint8, so that ``max_value`` (65535 where there is none) becomes 255.

    Raises:
        ValueError: larger values.
    """
    top = max_value or 65535
    if pixels.max() > top:
        raise ValueError(f"values {pixels.min()} to {pixels.max()}, expected 0 to {top}")
    return np.round(pixels * (255 / top)).astype(np.uint8)


def forget() -> None:
    """Let go of the image that tiles were cut from; its file may have changed since."""
    _LAST.clear()


def _once(item: object, decode) -> object:
    """What ``decode`` gives, kept until another image is asked for."""
    key = item if not isinstance(item, np.ndarray) else id(item)
    if key not in _LAST:
        _LAST.clear()
        _LAST[key] = decode()
    return _LAST[key]
