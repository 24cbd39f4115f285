"""What the manifest of a prepared image data set says, and what of it the terminal shows."""

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...config import resolved
from ...config.beside import TableBeside
from ...data import splits
from ...data.folders import few
from ...data.pixels import channel_statistics
from ...data.splits import SPLITS
from .settings import ImageDataset
from .sources import Source


def described(
    dataset: ImageDataset, source: Source, folder: Path, split: np.ndarray, labels: np.ndarray
) -> dict[str, Any]:
    """Kind, settings, classes, counts and pixel statistics of the samples in ``folder``."""
    mean, std = pixel_statistics(folder / "images.npy", np.flatnonzero(split == 0))
    return {
        "modality": "images",
        "settings": _settings(dataset),
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


def _settings(dataset: ImageDataset) -> dict[str, Any]:
    """All settings; those of a table where they are used, so that other manifests stay as they were."""
    fields = TableBeside.model_fields
    unused = {name for name, field in fields.items() if getattr(dataset, name) == field.default}
    return {name: value for name, value in resolved(dataset).items() if name not in unused}


def annotated(dataset: ImageDataset, source: Source) -> dict[str, Any]:
    """What the columns of splits.csv are, and what the table or arrays say; nothing without either."""
    told = source.annotations
    if told is None:
        return {}
    columns = {
        "unit": dataset.group or "group",
        "targets": told.kinds,
        "nuisance_targets": list(dataset.nuisances),
    }
    return {"columns": columns, "annotations": {"notes": told.notes, "left_out": told.left_out}}


def duplicates(copies: np.ndarray, split: np.ndarray, names: list[str]) -> dict[str, Any]:
    """How many copies there are, and of those in several parts examples."""
    leaks = splits.across_splits(copies, split)
    return {
        "copies": int(len(copies) - len(np.unique(copies))),
        "across_splits": len(leaks),
        "examples": [[names[i] for i in group] for group in leaks[:20]],
    }


def group_counts(named: np.ndarray, split: np.ndarray) -> dict[str, Any]:
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
        blocks = (_block(file, a, min(1024, n - a), shape, rows) for a in range(0, n, 1024))
        return channel_statistics(blocks, shape[2])


def _block(file: BinaryIO, first: int, n: int, shape: list[int], rows: np.ndarray) -> np.ndarray:
    """Of the ``n`` images that come next, from number ``first`` on, those of ``rows``."""
    block = np.fromfile(file, np.uint8, n * int(np.prod(shape))).reshape(-1, *shape)
    return block[rows[(rows >= first) & (rows < first + n)] - first]


def spoken(manifest: dict[str, Any]) -> list[str]:
    """What was found, for the terminal."""
    counts, classes = manifest["counts"], manifest["classes"]
    parts = ", ".join(f"{name} {part['samples']}" for name, part in counts.items())
    leaks, skipped = manifest["duplicates"]["across_splits"], manifest["skipped"]
    found = [f"images: {parts}"]
    found.append(f"classes: {len(classes)} ({few(classes)})" if classes else "classes: none")
    found += [*manifest["notes"], *manifest.get("annotations", {"notes": []})["notes"]]
    if skipped:
        found.append(f"left out: {len(skipped)} unreadable images, e.g. {skipped[0]}")
    if leaks:
        found.append(
            f"LEAK: {leaks} images are in several parts (on_copies keep); test scores are too high"
        )
    return found
