"""Images of any type and any number of channels, resized to the size that is stored.

Shapes: h x w pixels as found, H x W as wanted, C channels.
"""

import numpy as np
from PIL import Image

from .pictures import refuse_size

# Of missing neighbours: a pixel has a value where at least half of the weight lies on known ones.
_ENOUGH = 0.5


def fitted(values: np.ndarray, size: tuple[int, int], resize: str, no_data: float | None) -> np.ndarray:
    """Values (h, w, C) as (H, W, C) of the same type; untouched where the size is right.

    Bicubic with antialiasing, as for pictures, cut to the range of the image's channel. An image with
    missing values is resized by a triangle filter over those that are known.

    Args:
        resize: as ``ImageDataset.resize``. no_data: the missing value of integers; of float32 it is NaN.

    Raises:
        ValueError: another size where nothing is to be resized.
    """
    found = values.shape[:2]
    if found == size:
        return values
    refuse_size(found, size, resize)
    box, inner = _geometry(found, size, resize)
    missing = np.isnan(values) if values.dtype.kind == "f" else _equal(values, no_data)
    out = _filled((*size, values.shape[2]), values.dtype, no_data)
    top, left = (round((whole - part) / 2) for whole, part in zip(size, inner, strict=True))
    for c in range(values.shape[2]):
        channel, known = values[..., c].astype(np.float32), ~missing[..., c]
        part = out[top : top + inner[0], left : left + inner[1], c]
        if known.all():
            part[:] = _rounded(_resized(channel, inner, box, Image.Resampling.BICUBIC), channel, part)
        elif known.any():
            weight = _resized(known.astype(np.float32), inner, box, Image.Resampling.BILINEAR)
            total = _resized(np.where(known, channel, 0), inner, box, Image.Resampling.BILINEAR)
            enough = weight >= _ENOUGH
            mean = total[enough] / weight[enough]
            part[enough] = _rounded(mean, channel[known], part)
            part[~enough] = _filled((1,), part.dtype, no_data)
        else:
            part[:] = _filled((1,), part.dtype, no_data)
    return out


def _equal(values: np.ndarray, no_data: float | None) -> np.ndarray:
    return np.zeros(values.shape, bool) if no_data is None else values == no_data


def _filled(shape: tuple[int, ...], dtype: np.dtype, no_data: float | None) -> np.ndarray:
    value = np.nan if dtype.kind == "f" else no_data if no_data is not None else 0
    return np.full(shape, value, dtype)


def _geometry(
    found: tuple[int, int], size: tuple[int, int], resize: str
) -> tuple[tuple[float, float, float, float], tuple[int, int]]:
    """(left, top, right, bottom of what is kept; (H, W) that it becomes)."""
    (h, w), (height, width) = found, size
    if resize == "crop":
        scale = min(h / height, w / width)
        high, wide = scale * height, scale * width
        top, left = (h - high) / 2, (w - wide) / 2
        return (left, top, left + wide, top + high), size
    if resize == "pad":
        scale = min(height / h, width / w)
        return (0, 0, w, h), (max(1, round(h * scale)), max(1, round(w * scale)))
    return (0, 0, w, h), size


def _resized(
    channel: np.ndarray, size: tuple[int, int], box: tuple[float, ...], how: Image.Resampling
) -> np.ndarray:
    return np.asarray(Image.fromarray(channel).resize(size[::-1], how, box=box))


def _rounded(values: np.ndarray, channel: np.ndarray, like: np.ndarray) -> np.ndarray:
    values = np.clip(values, channel.min(), channel.max())
    return values if like.dtype.kind == "f" else np.rint(values).astype(like.dtype)
