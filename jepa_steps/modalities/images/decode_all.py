"""All images of a source, decoded into the store in order, by several processes."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...data.parallel import in_order
from ...errors import InputError
from .decode import array_image, brightest, full_scale, open_image, to_pixels
from .settings import ImageDataset
from .sources import Source
from .store import ImageWriter

_CHUNK = 64  # images decoded per task; 64 RGB images of 224 pixels are 10 MB


@dataclass
class Decoded:
    """What decoding found.

    kept: int64, numbers of the readable samples. digests: 16 bytes each. skipped: reasons of the others.
    brightest, counts: by full scale (255, 65535), the largest value and the number of images.
    """

    kept: np.ndarray
    digests: np.ndarray
    skipped: list[str]
    brightest: dict[int, int]
    counts: dict[int, int]


def decode_all(source: Source, dataset: ImageDataset, path: Path, workers: int) -> Decoded:
    """Decode every sample into ``path``; ``workers`` processes share the work.

    Raises:
        InputError: an image that cannot be read, or more of them than the settings leave out.
    """
    size, channels = dataset.image_size, dataset.channels
    n, budget = len(source.names), int(dataset.max_skipped * len(source.names))
    writer = ImageWriter(path, (size, size, channels))
    kept, digests, skipped = [], [], []
    most_of, counts = {}, Counter()
    tasks = (
        ([source.items(i) for i in range(a, min(a + _CHUNK, n))], source.names[a : a + _CHUNK], dataset)
        for a in range(0, n, _CHUNK)
    )
    workers = 1 if n <= 4 * _CHUNK else workers  # a few are decoded sooner than processes start
    for number, (images, good, reasons, values) in enumerate(in_order(_decode_chunk, tasks, workers)):
        if reasons and dataset.on_error == "fail":
            raise InputError(f"{reasons[0]}; set on_error: skip to leave such files out")
        skipped += reasons
        if len(skipped) > budget:
            raise InputError(
                f"{len(skipped)} unreadable images, expected at most {budget} "
                f"(max_skipped {dataset.max_skipped:g} of {n}); the last: {skipped[-1]}"
            )
        writer.append(images)
        kept += [number * _CHUNK + i for i in good]
        for scale, most in values:
            most_of[scale] = max(most, most_of.get(scale, 0))
            counts[scale] += 1
        digests += [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]
    writer.close()
    rows, hashes = np.array(kept, dtype=np.int64), np.array(digests, dtype="S16")
    return Decoded(rows, hashes, skipped, most_of, dict(counts))


def _decode_chunk(
    items: list, names: list[str], dataset: ImageDataset
) -> tuple[np.ndarray, list[int], list[str], list[tuple[int, int]]]:
    """(uint8 (k, H, W, C), positions of the k readable items, reasons of the others, full scale and
    largest value of each of the k)."""
    size, channels = dataset.image_size, dataset.channels
    images, good, reasons, values = [], [], [], []
    for i, (item, name) in enumerate(zip(items, names, strict=True)):
        try:
            if isinstance(item, Path):
                image = open_image(item, dataset.max_pixels)
            else:
                image = array_image(item, name)
            pixels = to_pixels(image, size, channels, dataset.max_value)
            values.append((full_scale(image), brightest(image)))
            images.append(pixels)
            good.append(i)
        except InputError as error:
            reasons.append(str(error))
        except ValueError as error:
            reasons.append(f"{item if isinstance(item, Path) else name}: {error}")
    stacked = np.stack(images) if images else np.empty((0, size, size, channels), np.uint8)
    return stacked, good, reasons, values
