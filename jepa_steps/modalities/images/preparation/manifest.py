"""What the manifest of a prepared image data set says, and what of it the terminal shows."""

from pathlib import Path
from typing import Any

import numpy as np

from ....config import resolved
from ....config.beside import TableBeside
from ....data import splits
from ....data.folders import few
from ....data.splits import SPLITS
from ....errors import InputError
from ..dataset import ImageDataset, Scientific
from ..shown import number
from ..sources import Source
from .form import Form
from .statistics import pixel_statistics


def described(
    dataset: ImageDataset,
    source: Source,
    form: Form,
    folder: Path,
    split: np.ndarray,
    labels: np.ndarray,
) -> dict[str, Any]:
    """Kind, settings, classes, counts and pixel statistics of the samples in ``folder``."""
    train = np.flatnonzero(split == 0)
    no_data = form.no_data if form.dtype != "float32" else None  # there it is NaN by now
    try:
        pixels = pixel_statistics(folder / "images.npy", train, dataset.normalise, no_data)
    except InputError as error:
        raise InputError(f"{dataset.path}: {error}") from None
    of_files = list(source.channels or form.names)
    told = {"channels": of_files, "layout": form.layout, "no_data": form.tag}
    if told := {name: value for name, value in told.items() if value not in ([], "", None)}:
        pixels["of_files"] = told
    if form.no_data is not None:
        pixels["no_data"] = form.no_data
    names = dataset.channel_names or of_files
    if names or not form.picture:
        pixels["channels"] = list(names or [str(c + 1) for c in range(form.channels)])
    for name in dataset.show or ():
        number(name, pixels.get("channels"), form.channels, dataset.path)
    return {
        "modality": "images",
        "settings": _settings(dataset, form),
        "images": {
            "count": len(split),
            "shape": [*dataset.size, form.channels],
            "dtype": form.dtype,
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
        "pixels": pixels,
    }


def _settings(dataset: ImageDataset, form: Form) -> dict[str, Any]:
    """All settings; those of a table, and of images that are no pictures, where they are used, so that
    other manifests stay as they were."""
    fields = TableBeside.model_fields | Scientific.model_fields
    unused = {name for name, field in fields.items() if getattr(dataset, name) == field.default}
    plain = {name: value for name, value in resolved(dataset).items() if name not in unused}
    return plain | {"channels": form.channels}


def of_channels(pixels: dict[str, Any], dataset: ImageDataset) -> list[str]:
    """What is worth a line of the statistics: names that were given, constants, no-data that is none."""
    names, found = pixels.get("channels", []), []
    of_files = pixels.get("of_files", {}).get("channels")
    if dataset.channel_names and of_files:
        pairs = zip(of_files, names, strict=True)
        found.append("channel_names: " + ", ".join(f"{file} = {name}" for file, name in pairs))
    if "constant" in pixels:
        found.append(f"constant in train: channel {', '.join(names[c] for c in pixels['constant'])}")
    if "no_data" in pixels and not any(pixels.get("missing", [1])):
        found.append(f"no_data: no value of train is {pixels['no_data']:g}")
    return found


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
