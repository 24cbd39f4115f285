"""One picture -> one uint8 image of the wanted size, by Pillow, or one clear reason why not."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ....errors import InputError

# The project's own limit (ImageDataset.max_pixels) is checked before decoding.
Image.MAX_IMAGE_PIXELS = None


class Squeezed(InputError):
    """A 16-bit colour image, of which Pillow would keep 8 bits."""


def open_image(path: Path, max_pixels: int) -> Image.Image:
    """Decode a file, turned upright by its EXIF orientation; the first frame of an animation.

    Raises:
        InputError: empty, unreadable, truncated or too large; the message names the file. Squeezed.
    """
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: empty file (0 bytes), expected an image")
        with Image.open(path) as image:
            pixels = image.width * image.height
            if pixels > max_pixels:
                raise InputError(
                    f"{path}: {image.width}x{image.height} = {pixels} pixels, expected at most "
                    f"{max_pixels} (max_pixels); raise it if the file is to be trusted"
                )
            if squeezes(image):
                raise Squeezed(f"{path}: found a 16-bit colour image, expected 8 bit")
            image.load()
            return ImageOps.exif_transpose(image)
    except InputError:
        raise
    except UnidentifiedImageError:
        raise InputError(f"{path}: not an image that Pillow can read") from None
    except Exception as error:  # a damaged file raises what its decoder raises
        raise cannot(path, error) from None


def squeezes(image: Image.Image) -> bool:
    """Whether Pillow would decode 16 bits as 8."""
    return any(_cut(tile.args) for tile in image.tile) and not image.mode.startswith("I")


def _cut(arguments: object) -> bool:
    texts = arguments if isinstance(arguments, tuple) else (arguments,)
    return any(";16" in text if isinstance(text, str) else text == 65535 for text in texts)


def cannot(path: Path, error: Exception) -> InputError:
    """What to raise where a decoder fails."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return InputError(f"{path}: cannot be decoded: {reason}")


def full_scale(image: Image.Image) -> int:
    """The value that is white in an image as it was decoded: 65535 of 16 and 32 bit, else 255."""
    return 65535 if image.mode.startswith("I") else 255


def brightest(image: Image.Image) -> int:
    """The largest value in any band of an image as it was decoded; of floating-point pixels 0."""
    if image.mode in ("F", "P", "PA", "1"):
        return 0 if image.mode == "F" else 255  # of a palette, values are no brightness
    ends = image.getextrema()
    return int(max(high for _, high in ends) if isinstance(ends[0], tuple) else ends[1])


def to_pixels(
    image: Image.Image,
    size: tuple[int, int],
    channels: int,
    max_value: int | None = None,
    resize: str = "crop",
) -> np.ndarray:
    """Resize (bicubic, antialiased) as ``ImageDataset.resize`` says.

    Transparency is composed over white; 16-bit grey is scaled to 8 bit.

    Args:
        size: (H, W). channels: 1 = grey, 3 = RGB.
        max_value: the value that becomes 255; None = the full scale of the file's type.

    Returns:
        uint8 (H, W, channels).

    Raises:
        ValueError: floating-point pixels, integers outside 16 bit, or above ``max_value``; another size
        where nothing is to be resized.
    """
    image = _eight_bit(image, max_value)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != size[::-1]:
        refuse_size(image.size[::-1], size, resize)
        image = _RESIZE[resize](image, size[::-1], Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.uint8).reshape(*size, channels)


_RESIZE = {"crop": ImageOps.fit, "pad": ImageOps.pad, "stretch": Image.Image.resize}


def refuse_size(found: tuple[int, int], size: tuple[int, int], resize: str) -> None:
    """Raises ValueError for another size, (H, W), where nothing is to be resized."""
    if resize == "none" and found != size:
        raise ValueError(
            "found {} x {} pixels, expected {} x {} (image_size, with resize: none)".format(
                *found, *size
            )
        )


def _eight_bit(image: Image.Image, max_value: int | None) -> Image.Image:
    if image.mode == "F":
        raise ValueError("floating-point pixels, expected 8 or 16 bit; set dtype: float32")
    top = max_value or full_scale(image)
    if top == 255 and not image.mode.startswith("I"):
        return image
    if not image.mode.startswith("I") and image.mode not in ("L", "RGB"):
        raise ValueError(f"max_value {top}: found an image of mode {image.mode}, expected grey or RGB")
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > top:
        raise ValueError(f"values {values.min()} to {values.max()}, expected 0 to {top}")
    return Image.fromarray(np.round(values * (255 / top)).astype(np.uint8))


def array_image(array: np.ndarray, name: str) -> Image.Image:
    """An image from uint8 or uint16 pixels (H, W) or (H, W, 1|3|4).

    Raises:
        InputError: another type or shape; the message names the sample.
    """
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    grey16 = array.dtype == np.uint16 and array.ndim == 2
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if not shaped or not (array.dtype == np.uint8 or grey16):
        raise InputError(
            f"{name}: found {array.dtype} pixels of shape {array.shape}, expected uint8 "
            "(H, W), (H, W, 3) or (H, W, 4), or uint16 (H, W); scale floats to 0..255 first"
        )
    return Image.fromarray(np.ascontiguousarray(array))
