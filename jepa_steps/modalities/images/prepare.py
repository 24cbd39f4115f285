"""From a folder or file of images to the prepared store: all of it, or nothing."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
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
from .decode import array_image, brightest, full_scale, open_image, to_pixels
from .folders import few
from .settings import ImageDataset
from .sources import Source, read_source
from .store import ImageWriter, keep_rows

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
        images = folder / "images.npy"
        decoded = _decode(source, dataset, images, workers)
        notes = [
            *source.notes,
            *_check_range(decoded, dataset),
            *_check_classes(source, decoded, dataset),
        ]
        kept = decoded.kept
        split, copies, named = _divide(source, decoded, dataset)
        leaks = splits.across_splits(copies, split)
        if leaks and dataset.on_copies != "keep":
            chosen = _without_copies(copies, split, source, decoded, dataset)
            kept, split, copies = kept[chosen], split[chosen], copies[chosen]
            named = None if named is None else named[chosen]
            keep_rows(images, chosen)
            notes.append(
                f"left out: {len(decoded.kept) - len(kept)} copies across parts (on_copies drop)"
            )
        labels, names = source.labels[kept], [source.names[i] for i in kept]
        write_splits(folder / "splits.csv", split, labels, names, named)
        manifest = {
            **_manifest(dataset, source, folder, split, labels),
            "duplicates": _duplicates(copies, split, names),
            "groups": None if named is None else _groups(named, split),
            "skipped": decoded.skipped,
            "notes": notes,
            "sha256": {name: sha256(folder / name) for name in ("images.npy", "splits.csv")},
        }
        write_json(folder / "manifest.json", manifest)
    return manifest


@dataclass
class _Decoded:
    """What decoding found.

    kept: int64, numbers of the readable samples. digests: 16 bytes each. skipped: reasons of the others.
    brightest, counts: by full scale (255, 65535), the largest value and the number of images.
    """

    kept: np.ndarray
    digests: np.ndarray
    skipped: list[str]
    brightest: dict[int, int]
    counts: dict[int, int]


def _check_range(decoded: _Decoded, dataset: ImageDataset) -> list[str]:
    """What the values reach, where that is worth a note.

    Raises:
        InputError: values so far below full scale that they would be nearly black.
    """
    notes = []
    for scale, most in decoded.brightest.items():
        if dataset.max_value is not None or most >= scale / 2:
            continue
        text = f"{decoded.counts[scale]} images of {scale.bit_length()} bit reach {most} of {scale}"
        if scale == 255 and most > 15:
            notes.append(f"dark: {text}")
            continue
        near = 2 ** max(1, most.bit_length()) - 1
        raise InputError(
            f"{dataset.path}: {text} and would be nearly black; set max_value to the value that "
            f"is white, such as {near}, or to {scale} if they are so dark"
        )
    return notes


def _check_classes(source: Source, decoded: _Decoded, dataset: ImageDataset) -> list[str]:
    """Classes that a given part lacks.

    Raises:
        InputError: a class all of whose images were left out.
    """
    labels, given = source.labels[decoded.kept], source.given[decoded.kept]
    present = set(labels.tolist())
    for code, name in enumerate(source.classes):
        if code not in present:
            raise InputError(
                f"{dataset.path}: class {name!r}: all of its images were left out as unreadable; mend "
                "them, or remove the class"
            )
    notes = []
    for code, part in enumerate(SPLITS):
        if not source.classes or not (given == code).any():
            continue
        lacking = [
            source.classes[c] for c in sorted(present - {-1} - set(labels[given == code].tolist()))
        ]
        if lacking:
            notes.append(f"{part} lacks {len(lacking)} of {len(source.classes)} classes: {few(lacking)}")
    return notes


def _divide(
    source: Source, decoded: _Decoded, dataset: ImageDataset
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """(split codes, codes of equal images, names of groups) of the readable samples.

    Raises:
        InputError: an empty part.
    """
    kept, s = decoded.kept, dataset.split
    named = None if source.groups is None else source.groups[kept]
    copies = np.unique(decoded.digests, return_inverse=True)[1]
    parts = _parts(copies, named)
    split = splits.assign(source.given[kept], source.labels[kept], parts, s.val, s.test, s.seed)
    for code, name in enumerate(SPLITS):
        if not (split == code).any():
            raise InputError(
                f"{dataset.path}: no sample in the {name} part of {len(split)} images in "
                f"{len(np.unique(parts))} parts that stay together; add images or change split"
            )
    return split, copies, named


def _without_copies(
    copies: np.ndarray, split: np.ndarray, source: Source, decoded: _Decoded, dataset: ImageDataset
) -> np.ndarray:
    """Samples bool (n,) without those of val and test that stand in an earlier part, too.

    Raises:
        InputError: the settings do not let them be left out, or a part would be empty.
    """
    first = np.full(copies.max() + 1, len(SPLITS))
    np.minimum.at(first, copies, split)
    again = split > first[copies]
    test = int((again & (split == 2)).sum())
    if dataset.on_copies == "fail":
        one = int(np.flatnonzero(again)[0])
        other = int(np.flatnonzero((copies == copies[one]) & (split == first[copies[one]]))[0])
        here, there = (source.names[decoded.kept[i]] for i in (one, other))
        raise InputError(
            f"{dataset.path}: {int(again.sum())} images of val and test ({test} of test) equal "
            f"one of an earlier part, e.g. {here} and {there}; set on_copies: drop to leave them "
            f"out, or keep"
        )
    for code, name in enumerate(SPLITS):
        if not (~again & (split == code)).any():
            raise InputError(
                f"{dataset.path}: every image of {name} is a copy of one of an earlier part"
            )
    return ~again


def _parts(copies: np.ndarray, named: np.ndarray | None) -> np.ndarray:
    if named is None:
        return copies
    return groups.together(copies, np.unique(named, return_inverse=True)[1])


def _decode(source: Source, dataset: ImageDataset, path: Path, workers: int) -> _Decoded:
    """Decode every sample into ``path``."""
    size, channels = dataset.image_size, dataset.channels
    n, budget = len(source.names), int(dataset.max_skipped * len(source.names))
    writer = ImageWriter(path, (size, size, channels))
    kept, digests, skipped = [], [], []
    most_of, counts = {}, Counter()
    tasks = (
        ([source.items(i) for i in range(a, min(a + _CHUNK, n))], source.names[a : a + _CHUNK], dataset)
        for a in range(0, n, _CHUNK)
    )
    for number, (images, good, reasons, values) in enumerate(_in_order(tasks, workers, n)):
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
    return _Decoded(rows, hashes, skipped, most_of, dict(counts))


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
    counts, classes = manifest["counts"], manifest["classes"]
    parts = ", ".join(f"{name} {part['samples']}" for name, part in counts.items())
    leaks, skipped = manifest["duplicates"]["across_splits"], manifest["skipped"]
    found = [f"images: {parts}"]
    found.append(f"classes: {len(classes)} ({few(classes)})" if classes else "classes: none")
    found += manifest["notes"]
    if skipped:
        found.append(f"left out: {len(skipped)} unreadable images, e.g. {skipped[0]}")
    if leaks:
        found.append(
            f"LEAK: {leaks} images stand in several parts (on_copies keep); scores on test are too good"
        )
    return found
