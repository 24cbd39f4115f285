"""What the manifest of prepared videos says, and what of it the terminal shows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ....data import splits
from ....data.folders import few
from ....data.pixels import channel_statistics
from ....data.splits import SPLITS
from ..dataset import VideoDataset, plain
from .division import Clips
from .headers import Header
from .labels import Labels
from .storing import Stored

_BLOCK = 4 << 20  # bytes read at once
_DECIDED = 6  # units of test from which on comparisons are decided (metrics.comparison.FEWEST_GROUPS)


def described(
    dataset: VideoDataset,
    found: Stored,
    labels: Labels,
    split: np.ndarray,
    clips: Clips,
    named: np.ndarray | None,
) -> dict[str, Any]:
    """Kind, settings, counts, rates, and what was left out."""
    part, codes = split[clips.video], labels.codes[clips.video]
    return {
        "modality": "video",
        "settings": plain(dataset),
        "semi_synthetic": dataset.source == "moving-digits",
        "frames": {
            "shape": [*dataset.image_size, dataset.channels],
            "number": int(sum(found.frames)),
            "dtype": "uint8",
            "clip_length": dataset.clip_length,
            "clip_stride": dataset.clip_stride or dataset.clip_length,
        },
        "classes": labels.classes,
        "counts": {
            name: {
                "samples": int((part == code).sum()),
                "videos": int((split == code).sum()),
                "per_class": np.bincount(
                    codes[(part == code) & (codes >= 0)], minlength=len(labels.classes)
                ).tolist(),
            }
            for code, name in enumerate(SPLITS)
        },
        "rates": _rates(found),
        "skipped": found.skipped,
        "dropped": found.dropped,
        "repeated": len(found.repeated),
        "groups": None if named is None else _group_counts(named, split),
    }


def _rates(found: Stored) -> dict[str, Any] | None:
    """Frames per second that the files have, by their time stamps; None where nothing tells them."""
    rates = [told.rate for told in found.told if told.rate]
    if not rates:
        return None
    variable = sum(told.variable for told in found.told)
    return {"lowest": round(min(rates), 4), "highest": round(max(rates), 4), "variable": variable}


def duplicates(clips: Clips, leaks: list[tuple[int, int]], found: Stored) -> dict[str, Any]:
    """Clips of more than one colour that equal an earlier one, constant clips, and videos of val and
    test that share a clip with an earlier part (``division.copies``)."""
    several = clips.content[~clips.constant]
    return {
        "copies": int(len(several) - len(np.unique(several))),
        "constant": int(clips.constant.sum()),
        "across_splits": len(leaks),
        "examples": [[found.kept[i].name for i in pair] for pair in leaks[:20]],
    }


def _group_counts(named: np.ndarray, split: np.ndarray) -> dict[str, Any]:
    codes = np.unique(named, return_inverse=True)[1]
    return {
        "number": int(codes.max()) + 1,
        "per_split": {name: len(np.unique(codes[split == i])) for i, name in enumerate(SPLITS)},
        "across_splits": len(splits.across_splits(codes, split)),
    }


def pixel_statistics(path: Path, videos: np.ndarray, shape: tuple[int, ...]) -> dict[str, Any]:
    """Mean and standard deviation of each channel over the training part's frames, in units of full
    scale.

    Plain block reads: the pages of a memory map would count as resident memory.

    Args:
        videos: int64 (V, 3), see ``store.VIDEO``.
    """
    mean, std = channel_statistics(_training_pixels(path, videos, shape), shape[2])
    return {"mean": mean, "std": std, "fitted_on": "train"}


def _training_pixels(path: Path, videos: np.ndarray, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Blocks uint8 (n, C)."""
    size = int(np.prod(shape))
    header, most = path.stat().st_size - int(videos[:, 1].sum()) * size, max(1, _BLOCK // size)
    with path.open("rb") as file:
        for begin, frames, _ in videos[videos[:, 2] == 0].tolist():
            file.seek(header + begin * size)
            for a in range(0, frames, most):
                yield np.fromfile(file, np.uint8, min(most, frames - a) * size).reshape(-1, shape[2])


def notes_on(found: Stored, headers: list[Header], clips: Clips) -> list[str]:
    """What was guessed, changed or is worth knowing of the files, a sentence each."""
    told, n, notes = found.told, len(found.kept), []

    def named(what: str) -> tuple[int, list[str]]:
        names = [v.name for v, t in zip(found.kept, told, strict=True) if getattr(t, what)]
        return len(names), names

    def note(number: int, names: list[str], text: str) -> None:
        if number:
            notes.append(f"{number} of {n} videos {text}" + (f": {few(names, 3)}" if names else ""))

    rates = _rates(found)
    if rates:
        low, high = rates["lowest"], rates["highest"]
        span = f"{low:g} to {high:g}" if high > low else f"{low:g}"
        notes.append(f"frame rates found: {span} a second; {rates['variable']} of {n} videos vary")
    note(*named("again"), "have frames further apart than 1 / frame_rate, which repeat")
    note(*named("lacks"), "have fewer frames than their headers tell")
    note(*named("damaged"), "have frames that are marked as damaged")
    note(*named("endless"), "do not tell how long they are: a missing end would go unnoticed")
    note(len(found.repeated), found.repeated, "are shorter than a clip; their last frame repeats")
    note(sum(found.still), [], "never change: all of their frames are equal")
    stretched = sum(not header.square for header in headers)
    if stretched:
        notes.append(
            f"{stretched} files have pixels that are not square, which are taken as if they were"
        )
    if constant := int(clips.constant.sum()):
        notes.append(
            f"{constant} of {len(clips.constant)} clips have a single colour; they count as no copies "
            "of each other"
        )
    if found.dropped:
        notes.append(
            f"left out: {len(found.dropped)} videos shorter than a clip, e.g. {found.dropped[0]}"
        )
    return notes


def lacking_classes(labels: Labels, split: np.ndarray) -> list[str]:
    """Classes that a part lacks, a sentence for each such part."""
    notes = []
    for code, part in enumerate(SPLITS):
        present = set(labels.codes[split == code].tolist())
        lacking = [name for c, name in enumerate(labels.classes) if c not in present]
        if lacking:
            notes.append(f"{part} lacks {len(lacking)} of {len(labels.classes)} classes: {few(lacking)}")
    return notes


def spoken(manifest: dict[str, Any]) -> list[str]:
    """What was found, for the terminal."""
    counts, classes, frames = manifest["counts"], manifest["classes"], manifest["frames"]
    videos = ", ".join(f"{name} {part['videos']:,}" for name, part in counts.items())
    samples = ", ".join(f"{name} {part['samples']:,}" for name, part in counts.items())
    found = [
        f"videos: {videos}",
        f"clips: {samples}; of {frames['clip_length']} frames, one every {frames['clip_stride']}",
        *_few_units(manifest),
        f"classes: {len(classes)} ({few(classes)})" if classes else "classes: none",
        *manifest["notes"],
    ]
    if manifest["semi_synthetic"]:
        found.insert(0, "SEMI-SYNTHETIC: real digits that move over generated textures")
    if skipped := manifest["skipped"]:
        found.append(f"left out: {len(skipped)} unreadable videos, e.g. {skipped[0]}")
    if leaks := manifest["duplicates"]["across_splits"]:
        found.append(
            f"LEAK: {leaks} videos of val and test have a clip equal to one of an earlier part "
            "(on_copies keep); scores on test are too good"
        )
    return found


def _few_units(manifest: dict[str, Any]) -> list[str]:
    """How many videos or groups test has, where these are too few to compare anything."""
    groups = manifest["groups"]
    what = "videos" if groups is None else "groups"
    n = manifest["counts"]["test"]["videos"] if groups is None else groups["per_split"]["test"]
    if n >= _DECIDED:
        return []
    return [f"test has {n} {what}, too few to decide a comparison ({_DECIDED}); raise split.test"]
