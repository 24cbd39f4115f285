"""From a folder or file of images to the prepared store: all of it, or nothing."""

from pathlib import Path
from typing import Any

import numpy as np

from ...data import groups, splits
from ...data.folders import few
from ...data.splits import SPLITS, write_splits
from ...errors import InputError
from ...files import sha256, staged, write_json
from .dataset import ImageDataset
from .preparation.decode_all import DecodedSet, decode_all
from .preparation.manifest import (
    annotated,
    described,
    duplicates,
    group_counts,
    of_channels,
    spoken,
)
from .preparation.tiles import tiled
from .sources import Source, read_source
from .store import keep_rows


def prepare(dataset: ImageDataset, out: Path, workers: int) -> dict[str, Any]:
    """Run the step; returns the manifest.

    Raises:
        InputError: a source that cannot be used; nothing is left behind then.
    """
    source = read_source(dataset)
    if dataset.tile is not None:
        source = tiled(source, dataset)
    if source.groups is not None:
        groups.refuse_shared(
            dataset.table if dataset.group else dataset.path, source.groups, source.given
        )
    with staged(out) as folder:
        images = folder / "images.npy"
        decoded = decode_all(source, dataset, images, workers)
        notes = [
            *source.notes,
            *decoded.form.spoken(dataset),
            *_check_content(decoded, dataset),
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
        columns = source.annotations.columns if source.annotations else {}
        columns = {name: [texts[i] for i in kept] for name, texts in columns.items()}
        write_splits(folder / "splits.csv", split, labels, names, named, columns)
        description = described(dataset, source, decoded.form, folder, split, labels)
        notes += of_channels(description["pixels"], dataset)
        manifest = {
            **description,
            **annotated(dataset, source),
            "duplicates": duplicates(copies, split, names),
            "groups": None if named is None else group_counts(named, split),
            "skipped": decoded.skipped,
            "notes": notes,
            "sha256": {name: sha256(folder / name) for name in ("images.npy", "splits.csv")},
        }
        write_json(folder / "manifest.json", manifest)
    return manifest


def _check_range(decoded: DecodedSet, dataset: ImageDataset) -> list[str]:
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


def _check_content(decoded: DecodedSet, dataset: ImageDataset) -> list[str]:
    """Transparency, other sizes, and tiles that show nothing.

    Raises:
        InputError: no tile shows anything.
    """
    notes = []
    if decoded.transparent:
        notes.append(
            f"{decoded.transparent} images have transparency, composed over white (channels: 4 keeps it)"
        )
    others = sum(n for size, n in decoded.sizes.items() if size != dataset.size)
    if others and not decoded.form.picture:
        low, high = min(decoded.sizes), max(decoded.sizes)
        notes.append(
            f"resized ({dataset.resize}): {others} images; found {low[0]} x {low[1]} to "
            f"{high[0]} x {high[1]}"
        )
    if decoded.empty:
        if not len(decoded.kept):
            raise InputError(f"{dataset.path}: all {len(decoded.empty)} tiles are of one value")
        notes.append(
            f"left out: {len(decoded.empty)} tiles of one value or without any: {few(decoded.empty, 3)}"
        )
    return notes


def _check_classes(source: Source, decoded: DecodedSet, dataset: ImageDataset) -> list[str]:
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
    source: Source, decoded: DecodedSet, dataset: ImageDataset
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
    copies: np.ndarray, split: np.ndarray, source: Source, decoded: DecodedSet, dataset: ImageDataset
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


def summary(manifest: dict[str, Any], folder: Path) -> list[str]:
    """What was found, for the terminal."""
    return spoken(manifest)
