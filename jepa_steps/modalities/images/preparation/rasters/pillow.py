"""Files that Pillow reads: which of them it reads without loss, and their values as they are."""

import logging
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from .....errors import InputError
from ..pictures import cannot, open_image, squeezes
from .extras import imported
from .raster import Raster, Window

# Pillow logs an error for every TIFF of more channels than it takes; what is found is said here.
logging.getLogger("PIL.TiffImagePlugin").setLevel(logging.CRITICAL)
_EIGHT_BIT = {
    *("1", "L", "P", "PA", "LA", "La", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
}
_AS_THEY_ARE = {"L": 1, "RGB": 3, "RGBA": 4, "LA": 2, "F": 1, "I": 1}
_SAMPLES = 277  # TIFF's tag: values per pixel, of which Pillow drops those that no mode has
_TURNED = range(5, 9)  # EXIF orientations that swap height and width


def header(path: Path) -> tuple[str, tuple[int, int], bool, int]:
    """(mode, (H, W) when upright, whether Pillow keeps all bits, number of pages).

    Raises:
        InputError: no image that Pillow can read.
    """
    try:
        with Image.open(path) as image:
            lossless, pages = not squeezes(image), 1
            if image.format == "TIFF":
                pages = getattr(image, "n_frames", 1)
                lossless &= image.tag_v2.get(_SAMPLES, 1) == len(image.getbands())
            # To ask a PNG without EXIF for it would decode it.
            told = image.format != "PNG" or "exif" in image.info
            turned = told and image.getexif().get(0x0112) in _TURNED
            return image.mode, image.size if turned else image.size[::-1], lossless, pages
    except UnidentifiedImageError:
        raise InputError(f"{path}: not an image that Pillow can read") from None
    except Exception as error:  # a damaged file raises what its decoder raises
        raise cannot(path, error) from None


def is_picture(path: Path) -> bool:
    """Whether a file is an 8-bit picture, which converts to grey and RGB: of one page, with all of its
    bits. False for what Pillow does not read."""
    try:
        mode, _, lossless, pages = header(path)
    except InputError:
        return False
    return mode in _EIGHT_BIT and lossless and pages == 1


def is_plain(path: Path) -> bool:
    """Whether Pillow reads all that a file holds, as it is."""
    try:
        mode, _, lossless, pages = header(path)
    except InputError:
        return False
    return (mode in _AS_THEY_ARE or mode.startswith("I;16")) and lossless and pages == 1


def raster(path: Path, max_pixels: int) -> Raster:
    """The values of a file as they are: of grey, RGB and RGBA, of 16-bit grey and floating point.

    Raises:
        InputError: unreadable, another mode, or a 16-bit colour image that nothing here reads.
    """
    mode, size, lossless, _ = header(path)
    if not lossless:
        return _sixteen_bit(path, size)
    channels = 1 if mode.startswith("I;16") else _AS_THEY_ARE.get(mode)
    if channels is None:
        raise InputError(f"{path}: found mode {mode}, expected grey, RGB, RGBA, 16-bit grey or float")
    source = np.dtype("u1" if mode in ("L", "LA", "RGB", "RGBA") else "f4" if mode == "F" else "u2")

    def read(window: Window) -> np.ndarray:
        values = np.asarray(open_image(path, max_pixels))[window]
        if mode == "I" and (values.min() < 0 or values.max() > 65535):
            raise ValueError(f"values {values.min()} to {values.max()}, expected 0 to 65535")
        return values.astype(source).reshape(*values.shape[:2], channels)

    return Raster((*size, channels), source, f"{source} image of mode {mode}", read)


def _sixteen_bit(path: Path, size: tuple[int, int]) -> Raster:
    """A 16-bit PNG of several channels, which Pillow would cut to 8 bit."""
    if path.suffix.lower() != ".png":
        raise InputError(
            f"{path}: found a 16-bit colour image, which would lose half of its bits; convert it to "
            "TIFF or PNG"
        )
    decode = imported("imagecodecs", "tiff", path).png_decode
    data = path.read_bytes()
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[data[25]]  # colour type, in the header chunk

    def read(window: Window) -> np.ndarray:
        try:
            return decode(path.read_bytes()).reshape(*size, channels)[window]
        except Exception as error:  # as above
            raise cannot(path, error) from None

    return Raster((*size, channels), np.dtype("u2"), f"16-bit PNG of {channels} channels", read)
