"""What each channel's values are over the training part, and how encoders get them.

Integers are counted level by level, so that no sum depends on an order. Floating-point numbers are read
in blocks of fixed size, one after another.

Shapes: n images, H x W pixels, C channels, L levels.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ....data.pixels import channel_statistics
from ....draws import evenly
from ....errors import InputError
from ..transform import Transform

_BLOCK = 1024  # images read at a time
_SAMPLED = 2**22  # values per channel behind percentiles of floating-point numbers
_ENDS = (0.01, 0.99)


def pixel_statistics(
    path: Path, rows: np.ndarray, kind: str = "standard", no_data: float | None = None
) -> dict[str, Any]:
    """Of the images ``rows`` of an .npy: mean and std of each channel, after the transform that ``kind``
    names.

    Of uint8 with nothing else asked, in units of full scale (0 to 1). Else in units of the values, with
    the transform, the share of missing values per channel, and what was found: see ``model.pixels``.

    Raises:
        InputError: a channel without values, or values below 0 for a logarithm.
    """
    images = _Images(path, rows)
    if images.dtype == np.uint8 and kind == "standard" and no_data is None:
        mean, std = channel_statistics(images.blocks(), images.channels)
        return {"mean": mean, "std": std, "fitted_on": "train"}
    found = _of_levels if images.dtype.kind == "u" else _of_floats
    transform, mean, std, missing = found(images, kind, no_data)
    constant = [c for c, spread in enumerate(std) if spread == 0]
    std = [spread or 1.0 for spread in std]  # of a constant, normalised values are 0
    values = {"dtype": str(images.dtype), **transform.plain}
    if no_data is not None and images.dtype.kind == "u":
        values["no_data"] = no_data
    told = {"constant": constant} if constant else {}
    return {"mean": mean, "std": std, "fitted_on": "train", "missing": missing, "values": values, **told}


@dataclass(frozen=True)
class _Images:
    """Some images of an .npy, by plain block reads: the pages of a map would count as resident
    memory."""

    path: Path
    rows: np.ndarray

    def _header(self) -> tuple[tuple[int, ...], np.dtype, int]:
        with self.path.open("rb") as file:
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            return shape, dtype, file.tell()

    @property
    def dtype(self) -> np.dtype:
        return self._header()[1]

    @property
    def channels(self) -> int:
        return self._header()[0][3]

    def blocks(self) -> Iterator[np.ndarray]:
        """(b, H, W, C) each, in order."""
        (n, *shape), dtype, start = self._header()
        with self.path.open("rb") as file:
            file.seek(start)
            for first in range(0, n, _BLOCK):
                count = min(_BLOCK, n - first)
                block = np.fromfile(file, dtype, count * int(np.prod(shape))).reshape(-1, *shape)
                mine = self.rows[(self.rows >= first) & (self.rows < first + count)] - first
                if len(mine):
                    yield block[mine]


Found = tuple[Transform, list[float], list[float], list[float]]


def _of_levels(images: _Images, kind: str, no_data: float | None) -> Found:
    """Exact, from how often each level occurs in each channel."""
    levels = np.iinfo(images.dtype).max + 1
    counts = np.zeros((images.channels, levels), np.int64)
    for block in images.blocks():
        for c in range(images.channels):
            counts[c] += np.bincount(block[..., c].ravel(), minlength=levels)
    total = counts.sum(1)
    if no_data is not None:
        counts[:, int(no_data)] = 0
    known = counts.sum(1)
    _some_values(known, images.path)
    value = np.arange(levels, dtype=np.float64)

    def quantile(c: int, q: float, positive: bool) -> float:
        some = counts[c].copy()
        some[0] = 0 if positive else some[0]
        if not some.sum():
            return 1.0
        return float(np.searchsorted(np.cumsum(some), q * some.sum(), side="left"))

    transform = _transform(kind, images.channels, quantile)
    mean, std = [], []
    for c in range(images.channels):
        x, share = transform(value, c), counts[c] / known[c]
        mean.append(float(share @ x))
        std.append(float(np.sqrt(share @ (x - mean[c]) ** 2)))
    return transform, mean, std, (1 - known / total).tolist()


def _of_floats(images: _Images, kind: str, no_data: float | None) -> Found:
    """Means of blocks that are merged in their order (Chan, Golub & LeVeque 1983)."""
    transform = Transform(kind)
    if kind != "standard":
        sample = _sampled(images)
        if kind == "log" and np.nanmin(sample) < 0:
            raise InputError(
                f"normalise: found log with values below 0 (down to {np.nanmin(sample):g}), expected "
                "none; use percentiles"
            )

        def quantile(c: int, q: float, positive: bool) -> float:
            x = sample[:, c]
            x = x[(x > 0) if positive else np.isfinite(x)]
            return float(np.quantile(x.astype(np.float64), q)) if len(x) else 1.0

        transform = _transform(kind, images.channels, quantile)
    n, total = np.zeros(images.channels), np.zeros(images.channels)
    mean, second = np.zeros(images.channels), np.zeros(images.channels)
    for block in images.blocks():
        for c in range(images.channels):
            x = block[..., c].ravel()
            total[c] += len(x)
            x = transform(x[~np.isnan(x)], c)
            if not len(x):
                continue
            own, both = x.mean(), n[c] + len(x)
            second[c] += ((x - own) ** 2).sum() + (own - mean[c]) ** 2 * n[c] * len(x) / both
            mean[c] += (own - mean[c]) * len(x) / both
            n[c] = both
    _some_values(n, images.path)
    std = np.sqrt(second / n).tolist()
    return transform, mean.tolist(), std, (1 - n / total).tolist()


def _sampled(images: _Images) -> np.ndarray:
    """Values (m, C) of evenly chosen images."""
    shape = images._header()[0]
    pixels = shape[1] * shape[2]
    some = _Images(images.path, evenly(images.rows, max(1, _SAMPLED // pixels)))
    return np.concatenate([block.reshape(-1, shape[3]) for block in some.blocks()])


def _transform(kind: str, channels: int, quantile: Callable[[int, float, bool], float]) -> Transform:
    every = range(channels)
    if kind == "percentiles":
        low, high = ([quantile(c, q, False) for c in every] for q in _ENDS)
        return Transform(kind, low=low, high=high)
    if kind == "log":
        return Transform(kind, scale=[quantile(c, _ENDS[0], True) for c in every])
    return Transform(kind)


def _some_values(known: np.ndarray, path: Path) -> None:
    if not known.all():
        lacking = [str(c + 1) for c in np.flatnonzero(known == 0)]
        raise InputError(
            f"channel {', '.join(lacking)} has no value in any image of the training part; leave it "
            "out, or mend no_data"
        )
