"""What the manifest of prepared videos says, and what of it the terminal shows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ....data import splits
from ....data.folders import few
from ....data.labels import Labels
from ....data.pixels import channel_statistics
from ....data.splits import SPLITS
from ..dataset import VideoDataset, plain
from .division import Clips
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
    grouped: str,
) -> dict[str, Any]:
    """Kind, settings, counts, rates, and what was left out.

    Args:
        grouped: where groups come from.
    """
    part, codes = split[clips.video], labels.codes[clips.video]
    return {
        "modality": "video",
        "settings": plain(dataset),
        "semi_synthetic": dataset.source == "moving-digits",
        "frames": {
            "shape": [*dataset.image_size, dataset.channels],
            "number": int(sum(found.frames)),
            "in_no_clip": sum(_left_over(frames, dataset) for frames in found.frames),
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
        "rates": rates_of(found),
        "skipped": found.skipped,
        "dropped": found.dropped,
        "repeated": len(found.repeated),
        "groups": None if named is None else _group_counts(named, split, grouped),
    }


def _left_over(frames: int, dataset: VideoDataset) -> int:
    """How many frames of a video are in none of its clips."""
    length, stride = dataset.clip_length, dataset.clip_stride or dataset.clip_length
    clips = (frames - length) // stride + 1
    return frames - length - (clips - 1) * min(stride, length)


def rates_of(found: Stored) -> dict[str, Any] | None:
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


def _group_counts(named: np.ndarray, split: np.ndarray, grouped: str) -> dict[str, Any]:
    codes = np.unique(named, return_inverse=True)[1]
    return {
        "of": grouped,
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


def spoken(manifest: dict[str, Any]) -> list[str]:
    """What was found, for the terminal."""
    counts, classes, frames = manifest["counts"], manifest["classes"], manifest["frames"]
    videos = ", ".join(f"{name} {part['videos']:,}" for name, part in counts.items())
    samples = ", ".join(f"{name} {part['samples']:,}" for name, part in counts.items())
    found = [
        f"videos: {videos}",
        f"clips: {samples}; of {frames['clip_length']} frames, a clip begins every "
        f"{frames['clip_stride']} frames",
        f"frames: {frames['number']:,} stored{_in_no_clip(frames)}",
        *_groups(manifest["groups"]),
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
            "(on_copies keep); test scores are too high"
        )
    return found


def _in_no_clip(frames: dict[str, Any]) -> str:
    number = frames["in_no_clip"]
    return f"; {number:,} of {frames['number']:,} frames are in no clip" if number else ""


def _groups(groups: dict[str, Any] | None) -> list[str]:
    if groups is None:
        return []
    parts = ", ".join(f"{name} {number:,}" for name, number in groups["per_split"].items())
    return [f"{groups['number']:,} groups {groups['of']}: {parts}"]


def _few_units(manifest: dict[str, Any]) -> list[str]:
    """How many videos or groups test has, where these are too few to compare anything."""
    groups = manifest["groups"]
    what = "videos" if groups is None else "groups"
    n = manifest["counts"]["test"]["videos"] if groups is None else groups["per_split"]["test"]
    if n >= _DECIDED:
        return []
    return [f"test has {n} {what}, too few to decide a comparison ({_DECIDED}); raise split.test"]
