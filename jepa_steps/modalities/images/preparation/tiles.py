"""Large images cut into tiles, each a sample; tiles of one image stay together."""

from dataclasses import replace

import numpy as np

from ....errors import InputError
from ..dataset import ImageDataset
from ..sources import Annotations, Source
from .items import Item, Tile, size_of


def tiled(source: Source, dataset: ImageDataset) -> Source:
    """A source of tiles instead of images; the image is the group where the source names no other.

    Raises:
        InputError: an image that cannot be read, or is smaller than a tile, unless such are left out.
    """
    (height, width), stride = dataset.tiling
    owners, items, names, skipped, used, total = [], [], [], [], 0, 0
    for i, name in enumerate(source.names):
        item = source.items(i)
        try:
            high, wide = _size(item, name, height, width, dataset)
        except InputError as error:
            if dataset.on_error == "fail":
                raise InputError(f"{error}; set on_error: skip to leave such files out") from None
            skipped.append(str(error))
            continue
        down = range(0, high - height + 1, stride[0])
        across = range(0, wide - width + 1, stride[1])
        cells = [Tile(item, (y, y + height), (x, x + width)) for y in down for x in across]
        items += cells
        owners += [i] * len(cells)
        names += [f"{name}[{y}:{y + height},{x}:{x + width}]" for y in down for x in across]
        used += (down[-1] + height) * (across[-1] + width)
        total += high * wide
    _few_enough(skipped, len(source.names), dataset)
    if not items:
        raise InputError(f"{dataset.path}: no image is as large as a tile, {height} x {width}")
    rest = 1 - used / total
    notes = [
        f"tiles: {len(items)} of {height} x {width} from {len(source.names) - len(skipped)} images"
        + f"; {rest:.1%} of the pixels, at right and lower edges, are in none" * (used < total)
    ]
    return _spread(source, np.array(owners), items, names, (*source.notes, *notes), tuple(skipped))


def _size(item: Item, name: str, height: int, width: int, dataset: ImageDataset) -> tuple[int, int]:
    try:
        high, wide = size_of(item, dataset)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None
    if high < height or wide < width:
        raise InputError(
            f"{name}: found {high} x {wide} pixels, expected at least a tile, {height} x {width}"
        )
    return high, wide


def _few_enough(skipped: list[str], n: int, dataset: ImageDataset) -> None:
    if len(skipped) > int(dataset.max_skipped * n):
        raise InputError(
            f"{len(skipped)} images without a tile, expected at most {int(dataset.max_skipped * n)} "
            f"(max_skipped {dataset.max_skipped:g} of {n}); the last: {skipped[-1]}"
        )


def _spread(
    source: Source, owners: np.ndarray, items: list[Tile], names: list[str], notes: tuple, skipped: tuple
) -> Source:
    """What is known of images, said of each of their tiles."""
    told = source.annotations
    if told is not None:
        columns = {name: [texts[i] for i in owners] for name, texts in told.columns.items()}
        told = Annotations(columns, told.kinds, told.notes, told.left_out)
    named = np.array(source.names) if source.groups is None else source.groups
    return replace(
        source,
        items=items.__getitem__,
        names=names,
        labels=source.labels[owners],
        given=source.given[owners],
        groups=named[owners],
        notes=notes,
        annotations=told,
        unreadable=skipped,
    )


def without_content(pixels: np.ndarray) -> bool:
    """Whether all values of each channel of a tile are one, or none is known: (H, W, C)."""
    flat = pixels.reshape(-1, pixels.shape[-1])
    return bool(((flat == flat[0]) | (np.isnan(flat) & np.isnan(flat[0]))).all())
