"""What was guessed, left out or is worth knowing of prepared videos: sentences for the manifest."""

import numpy as np

from ....data.folders import few
from ....data.labels import Labels
from ....data.splits import SPLITS
from ..dataset import VideoDataset
from .division import Clips, equal_clips, other_labels
from .headers import Header
from .manifest import rates_of
from .storing import Stored


def notes_on(found: Stored, headers: list[Header], clips: Clips) -> list[str]:
    """What was guessed, changed or is worth knowing of the files, a sentence each."""
    told, n, notes = found.told, len(found.kept), []

    def named(what: str) -> tuple[int, list[str]]:
        names = [v.name for v, t in zip(found.kept, told, strict=True) if getattr(t, what)]
        return len(names), names

    def note(number: int, names: list[str], text: str) -> None:
        if number:
            notes.append(f"{number} of {n} videos {text}" + (f": {few(names, 3)}" if names else ""))

    rates = rates_of(found)
    if rates:
        low, high = rates["lowest"], rates["highest"]
        span = f"{low:g} to {high:g}" if high > low else f"{low:g}"
        part = " (of the part that was read)" if any(one.part for one in told) else ""
        notes.append(
            f"frame rates found: {span} per second; {rates['variable']} of {n} videos vary{part}"
        )
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


def drawn_parts(found: Stored) -> list[str]:
    """Where the parts come from that the source does not give, where it gives some."""
    given = [video.given for video in found.kept]
    if max(given) < 0:
        return []
    undecided = given.count(-1)
    lacking = [name for code, name in enumerate(SPLITS) if code and code not in given]
    if undecided and not lacking:
        return [f"{undecided} of {len(given)} videos have no given part and are taken as train"]
    pool = f"the {undecided} videos without a given part" if undecided else "train"
    return [f"{name} is drawn from {pool}, as the source gives no {name}" for name in lacking]


def equals(
    clips: Clips, split: np.ndarray, labels: Labels, found: Stored, dataset: VideoDataset
) -> list[str]:
    """Equal clips within a part, and equal clips of videos with different labels, an example of each."""
    notes, stride = [], dataset.clip_stride or dataset.clip_length
    if again := equal_clips(clips, split):
        first = np.searchsorted(clips.video, clips.video)
        here, there = (f"{found.kept[clips.video[i]].name}@{(i - first[i]) * stride}" for i in again[0])
        notes.append(
            f"{len(again)} of {len(split[clips.video])} clips equal an earlier one of the same part, "
            f"e.g. {here} and {there}"
        )
    if pairs := other_labels(clips, labels.codes):
        here, there = (f"{found.kept[i].name} ({labels.classes[labels.codes[i]]!r})" for i in pairs[0])
        notes.append(
            f"{len(pairs)} of {len(split)} videos have a clip equal to one of a video with another "
            f"label, e.g. {here} and {there}"
        )
    return notes
