"""From a folder or file of images to the prepared store: all of it, or nothing."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from ...config import resolved
from ...data import groups, splits
from ...data.splits import SPLITS, write_splits
from ...errors import InputError
from ...files import sha256, staged, write_json
from .decode import array_image, open_image, to_pixels
from .settings import ImageDataset
from .sources import Source, read_source
from .store import ImageWriter

_CHUNK = 64  # images decoded per task; 64 RGB images of 224 pixels are 10 MB


def prepare(dataset: ImageDataset, out: Path, workers: int) -> dict[str, Any]:
    """Run the step; returns the manifest.

    Raises:
        InputError: a source that cannot be used; nothing is left behind then.
    """
    source = read_source(dataset)
    if source.groups is not None:
        groups.refuse_shared(dataset.path, source.groups, source.given)
    with staged(out) as folder:
        kept, digests, skipped = _decode(source, dataset, folder / "images.npy", workers)
        labels, names = source.labels[kept], [source.names[i] for i in kept]
        named = None if source.groups is None else source.groups[kept]
        copies = np.unique(digests, return_inverse=True)[1]
        parts = _parts(copies, named)
        s = dataset.split
        split = splits.assign(source.given[kept], labels, parts, s.val, s.test, s.seed)
        for code, name in enumerate(SPLITS):
            if not (split == code).any():
                raise InputError(
                    f"{dataset.path}: no sample in the {name} part of {len(split)} images in "
                    f"{len(np.unique(parts))} parts that stay together; add images or change split"
                )
        write_splits(folder / "splits.csv", split, labels, names, named)
        manifest = {
            **_manifest(dataset, source, folder, split, labels),
            "duplicates": _duplicates(copies, split, names),
            "groups": None if named is None else _groups(named, split),
            "skipped": skipped,
            "sha256": {name: sha256(folder / name) for name in ("images.npy", "splits.csv")},
        }
        write_json(folder / "manifest.json", manifest)
    return manifest


def _parts(copies: np.ndarray, named: np.ndarray | None) -> np.ndarray:
    if named is None:
        return copies
    return groups.together(copies, np.unique(named, return_inverse=True)[1])


def _decode(
    source: Source, dataset: ImageDataset, path: Path, workers: int
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Decode every sample into ``path``: (kept sample numbers, 16-byte digests, skipped reasons)."""
    size, channels = dataset.image_size, dataset.channels
    n, budget = len(source.names), int(dataset.max_skipped * len(source.names))
    writer = ImageWriter(path, (size, size, channels))
    kept, digests, skipped = [], [], []
    tasks = (
        ([source.items(i) for i in range(a, min(a + _CHUNK, n))], source.names[a : a + _CHUNK], dataset)
        for a in range(0, n, _CHUNK)
    )
    for number, (images, good, reasons) in enumerate(_in_order(tasks, workers, n)):
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
        digests += [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]
    writer.close()
    return np.array(kept, dtype=np.int64), np.array(digests, dtype="S16"), skipped


def _in_order(tasks: Iterator[tuple], workers: int, n: int) -> Iterator[tuple]:
    """Decode tasks in parallel; at most two a worker are in flight, so memory stays bounded."""
    if workers == 1 or n <= 4 * _CHUNK:
        yield from (_decode_chunk(*task) for task in tasks)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        pending = [pool.submit(_decode_chunk, *task) for task in islice(tasks, 2 * workers)]
        try:
            while pending:
                yield pending.pop(0).result()
                pending += [pool.submit(_decode_chunk, *task) for task in islice(tasks, 1)]
        finally:
            pool.shutdown(cancel_futures=True)


def _decode_chunk(
    items: list, names: list[str], dataset: ImageDataset
) -> tuple[np.ndarray, list[int], list[str]]:
    """(uint8 (k, H, W, C), positions of the k readable items, reasons of the others)."""
    size, channels = dataset.image_size, dataset.channels
    images, good, reasons = [], [], []
    for i, (item, name) in enumerate(zip(items, names, strict=True)):
        try:
            if isinstance(item, Path):
                image = open_image(item, dataset.max_pixels)
            else:
                image = array_image(item, name)
            images.append(to_pixels(image, size, channels))
            good.append(i)
        except InputError as error:
            reasons.append(str(error))
        except ValueError as error:
            reasons.append(f"{item if isinstance(item, Path) else name}: {error}")
    return np.stack(images) if images else np.empty((0, size, size, channels), np.uint8), good, reasons


def _manifest(dataset, source, folder, split, labels) -> dict[str, Any]:
    mean, std = pixel_statistics(folder / "images.npy", np.flatnonzero(split == 0))
    return {
        "modality": "images",
        "settings": resolved(dataset),
        "images": {
            "count": len(split),
            "shape": [dataset.image_size, dataset.image_size, dataset.channels],
            "dtype": "uint8",
        },
        "classes": source.classes,
        "counts": {
            name: {
                "samples": int((split == code).sum()),
                "per_class": np.bincount(
                    labels[(split == code) & (labels >= 0)], minlength=len(source.classes)
                ).tolist(),
            }
            for code, name in enumerate(SPLITS)
        },
        "pixels": {"mean": mean, "std": std, "fitted_on": "train"},
    }


def _duplicates(copies: np.ndarray, split: np.ndarray, names: list[str]) -> dict[str, Any]:
    leaks = splits.across_splits(copies, split)
    return {
        "copies": int(len(copies) - len(np.unique(copies))),
        "across_splits": len(leaks),
        "examples": [[names[i] for i in group] for group in leaks[:20]],
    }


def _groups(named: np.ndarray, split: np.ndarray) -> dict[str, Any]:
    """The leak audit: how many groups there are, in each split, and in more than one."""
    codes = np.unique(named, return_inverse=True)[1]
    return {
        "number": int(codes.max()) + 1,
        "per_split": {name: len(np.unique(codes[split == i])) for i, name in enumerate(SPLITS)},
        "across_splits": len(splits.across_splits(codes, split)),
    }


def pixel_statistics(path: Path, rows: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel over ``rows``, in units of full scale (0 to 1).

    Exact: integer counts of the 256 levels, no floating-point sum depends on the order. Plain
    block reads: the pages of a memory map would count as resident memory.
    """
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        (n, *shape), _, _ = np.lib.format.read_array_header_1_0(file)
        counts = np.zeros((shape[2], 256), np.int64)
        for a in range(0, n, 1024):
            block = np.fromfile(file, np.uint8, min(1024, n - a) * int(np.prod(shape)))
            block = block.reshape(-1, *shape)[rows[(rows >= a) & (rows < a + 1024)] - a]
            for c in range(shape[2]):
                counts[c] += np.bincount(block[..., c].ravel(), minlength=256)
    levels = np.arange(256) / 255
    share = counts / counts.sum(1, keepdims=True)
    mean = share @ levels
    std = np.sqrt((share * (levels - mean[:, None]) ** 2).sum(1))
    return mean.tolist(), np.maximum(std, 1 / 255).tolist()


def summary(manifest: dict[str, Any], folder: Path) -> list[str]:
    """What was found, for the terminal."""
    counts = {name: part["samples"] for name, part in manifest["counts"].items()}
    leaks = manifest["duplicates"]["across_splits"]
    return [f"{counts}, {len(manifest['skipped'])} skipped, {leaks} duplicates across splits"]
