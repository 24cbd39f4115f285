"""Which part a video belongs to, and which have a clip in common.

Shapes: V videos, n clips.
"""

from dataclasses import dataclass

import numpy as np

from ....data import groups, splits
from ....data.splits import SPLITS
from ....errors import InputError
from ..dataset import VideoDataset
from .storing import Stored


@dataclass(frozen=True)
class Clips:
    """The clips of V videos. video: int64 (n,), whose they are. content: int64 (n,), equal for equal
    pixels. constant: bool (n,), of a single colour; such clips are no sign of a copy."""

    video: np.ndarray
    content: np.ndarray
    constant: np.ndarray


def all_clips(found: Stored) -> Clips:
    """The clips of all videos, in order."""
    video = np.repeat(np.arange(len(found.kept)), [len(digests) for digests in found.digests])
    digests = np.concatenate(found.digests)
    numbers = digests.view(np.uint64).reshape(len(digests), -1)
    content = np.unique(numbers, axis=0, return_inverse=True)[1].reshape(-1)
    return Clips(video, content, np.concatenate(found.constant))


def named_groups(found: Stored) -> np.ndarray | None:
    """The group of each video, str (V,); None without groups. Sources give all videos one, or none."""
    if not any(video.group for video in found.kept):
        return None
    return np.array([video.group for video in found.kept])


def divide(
    found: Stored, clips: Clips, labels: np.ndarray, named: np.ndarray | None, dataset: VideoDataset
) -> np.ndarray:
    """Parts int64 (V,). Videos with a clip in common stay together, and so do groups.

    Args:
        labels: int64 (V,), strata of the draw.

    Raises:
        InputError: an empty part.
    """
    given = np.array([video.given for video in found.kept], np.int64)
    units = _tied(clips, len(given))
    if named is not None:
        units = groups.together(units, np.unique(named, return_inverse=True)[1])
    s = dataset.split
    split = splits.assign(given, labels, units, s.val, s.test, s.seed)
    for code, name in enumerate(SPLITS):
        if not (split == code).any():
            raise InputError(
                f"{dataset.path}: no video in the {name} part of {len(split)} videos in "
                f"{len(np.unique(units))} units that stay together; add videos or change split"
            )
    return split


def _tied(clips: Clips, videos: int) -> np.ndarray:
    """Numbers int64 (V,), equal for videos that have a clip in common, of more than one colour."""
    content = np.where(clips.constant, clips.content.max() + 1 + clips.video, clips.content)
    united = groups.together(content, clips.video)
    first = np.searchsorted(clips.video, np.arange(videos))
    return united[first]


def copies(clips: Clips, split: np.ndarray) -> list[tuple[int, int]]:
    """(video, the earliest one of an earlier part that has a clip in common) of videos of val and test.

    Args:
        split: int64 (V,).
    """
    part, content = split[clips.video], clips.content
    order = np.lexsort((part, content))  # stable: of equal parts, the earliest clip comes first
    first = np.empty(content.max() + 1, np.int64)
    first[content[order[::-1]]] = order[::-1]
    again = np.flatnonzero((part > part[first[content]]) & ~clips.constant)
    pairs = zip(clips.video[again].tolist(), clips.video[first[content[again]]].tolist(), strict=True)
    return list(dict(reversed(list(pairs))).items())[::-1]


def equal_clips(clips: Clips, split: np.ndarray) -> list[tuple[int, int]]:
    """(clip, the earliest equal one of the same part) of clips of more than one colour.

    Args:
        split: int64 (V,).
    """
    first = _earliest(len(SPLITS) * clips.content + split[clips.video])
    again = np.flatnonzero((first < np.arange(len(first))) & ~clips.constant)
    return list(zip(again.tolist(), first[again].tolist(), strict=True))


def other_labels(clips: Clips, labels: np.ndarray) -> list[tuple[int, int]]:
    """(video, the earliest one with a clip in common) of videos whose labels differ.

    Args:
        labels: int64 (V,), -1 = none.
    """
    label = labels[clips.video]
    used = np.flatnonzero(~clips.constant & (label >= 0))
    first = used[_earliest(clips.content[used])]
    differ = label[used] != label[first]
    pairs = zip(clips.video[used[differ]].tolist(), clips.video[first[differ]].tolist(), strict=True)
    return list(dict(reversed(list(pairs))).items())[::-1]


def _earliest(codes: np.ndarray) -> np.ndarray:
    """Place of the first equal code, int64 (n,)."""
    _, place, inverse = np.unique(codes, return_index=True, return_inverse=True)
    return place[inverse.reshape(-1)]


def without(
    pairs: list[tuple[int, int]], split: np.ndarray, found: Stored, dataset: VideoDataset
) -> np.ndarray:
    """Videos bool (V,) without those of val and test that share a clip with an earlier part.

    Raises:
        InputError: the settings do not let them be left out, or a part would be empty.
    """
    kept = np.ones(len(split), bool)
    kept[[video for video, _ in pairs]] = False
    if dataset.on_copies == "fail":
        test = sum(split[video] == 2 for video, _ in pairs)
        here, there = (found.kept[i].name for i in pairs[0])
        raise InputError(
            f"{dataset.path}: {len(pairs)} videos of val and test ({test} of test) have a clip equal to "
            f"one of an earlier part, e.g. {here} and {there}; set on_copies: drop to leave them out, "
            "or keep"
        )
    for code, name in enumerate(SPLITS):
        if not (kept & (split == code)).any():
            raise InputError(
                f"{dataset.path}: every video of {name} has a clip equal to one of an earlier part; "
                "give the videos that belong together a group, so that val is not drawn from copies"
            )
    return kept
