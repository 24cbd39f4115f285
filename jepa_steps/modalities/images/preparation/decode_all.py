"""All images of a source, decoded into the store in order, by several processes."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....data.parallel import in_order
from ....errors import InputError
from ..dataset import ImageDataset
from ..sources import Source
from ..store import ImageWriter
from .decode import Range, decoded, forget
from .form import Form, find_form
from .tiles import without_content

_CHUNK = 64  # images decoded per task; 64 RGB images of 224 pixels are 10 MB


@dataclass
class DecodedSet:
    """What decoding found.

    form: of all images. kept: int64, numbers of the readable samples. digests: 16 bytes each. skipped:
    reasons of the others. brightest, counts: of pictures by full scale (255, 65535), the largest value
    and the number of images. transparent: how many were composed over white. empty: names of tiles
    without content, left out. sizes: how many images had which (H, W) before they were resized.
    """

    form: Form
    kept: np.ndarray
    digests: np.ndarray
    skipped: list[str]
    brightest: dict[int, int]
    counts: dict[int, int]
    transparent: int
    empty: list[str]
    sizes: dict[tuple[int, int], int]


@dataclass
class _Chunk:
    """Images (k, H, W, C) of a task, and of which items; names of tiles without content, reasons of the
    unreadable; and of each image its range, its size, and whether it was transparent."""

    images: np.ndarray
    good: list[int]
    reasons: list[str]
    bare: list[str]
    ranges: list[Range]
    sizes: list[tuple[int, int]]
    transparent: int


def decode_all(source: Source, dataset: ImageDataset, path: Path, workers: int) -> DecodedSet:
    """Decode every sample into ``path``; ``workers`` processes share the work.

    Raises:
        InputError: an image that cannot be read, or more of them than the settings leave out.
    """
    forget()
    n = len(source.names)
    budget = int(dataset.max_skipped * (n + len(source.unreadable)))
    form = find_form([(source.items(i), source.names[i]) for i in range(min(n, 100))], dataset)
    writer = ImageWriter(path, (*dataset.size, form.channels), np.dtype(form.dtype))
    kept, digests, skipped = [], [], list(source.unreadable)
    most_of, counts, sizes, transparent, empty = {}, Counter(), Counter(), 0, []
    tasks = (
        (
            [source.items(i) for i in range(a, min(a + _CHUNK, n))],
            source.names[a : a + _CHUNK],
            form,
            dataset,
        )
        for a in range(0, n, _CHUNK)
    )
    workers = 1 if n <= 4 * _CHUNK else workers  # a few are decoded sooner than processes start
    for number, chunk in enumerate(in_order(_decode_chunk, tasks, workers)):
        if chunk.reasons and dataset.on_error == "fail":
            raise InputError(f"{chunk.reasons[0]}; set on_error: skip to leave such files out")
        skipped += chunk.reasons
        transparent += chunk.transparent
        empty += chunk.bare
        sizes.update(chunk.sizes)
        if len(skipped) > budget:
            raise InputError(
                f"{len(skipped)} unreadable images, expected at most {budget} "
                f"(max_skipped {dataset.max_skipped:g} of {n}): raise max_skipped, or mend them; the "
                f"last: {skipped[-1]}"
            )
        writer.append(chunk.images)
        kept += [number * _CHUNK + i for i in chunk.good]
        for scale, most in chunk.ranges:
            most_of[scale] = max(most, most_of.get(scale, 0))
            counts[scale] += 1
        digests += [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in chunk.images]
    writer.close()
    rows, hashes = np.array(kept, dtype=np.int64), np.array(digests, dtype="S16")
    told = (most_of, dict(counts), transparent, empty, dict(sizes))
    return DecodedSet(form, rows, hashes, skipped, *told)


def _decode_chunk(items: list, names: list[str], form: Form, dataset: ImageDataset) -> _Chunk:
    chunk = _Chunk(np.empty((0, *dataset.size, form.channels), form.dtype), [], [], [], [], [], 0)
    images = []
    for i, (item, name) in enumerate(zip(items, names, strict=True)):
        try:
            one = decoded(item, name, form, dataset)
        except InputError as error:
            chunk.reasons.append(str(error))
            continue
        except ValueError as error:
            chunk.reasons.append(f"{item if isinstance(item, Path) else name}: {error}")
            continue
        if dataset.tile is not None and without_content(one.pixels):
            chunk.bare.append(name)
            continue
        images.append(one.pixels)
        chunk.good.append(i)
        chunk.sizes.append(one.size)
        chunk.ranges += [one.extent] if one.extent else []
        chunk.transparent += one.transparent
    if images:
        chunk.images = np.stack(images)
    return chunk
