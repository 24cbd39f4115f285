"""Labels of videos: names of classes, and what else embeddings are asked for.

Shapes: V videos.
"""

import numpy as np

from ....data.folders import few
from ....data.labels import Labels, by_number, check_numbers, is_number
from ....data.targets import Kind, kind_of
from ....errors import InputError
from ..dataset import VideoDataset
from ..sources.source import Video

_FEW = 0.2  # share of other texts up to which a column of numbers has them by mistake


def check_classes(videos: list[Video], path: str) -> None:
    """Whether every class has a video for each part, before anything is decoded.

    Raises:
        InputError: one class, or a class of fewer than three videos.
    """
    counts: dict[str, int] = {}
    for video in videos:
        if video.label:
            counts[video.label] = counts.get(video.label, 0) + 1
    if len(counts) == 1:
        raise InputError(
            f"{path}: found one class ({next(iter(counts))!r}), expected at least 2; videos without "
            "labels belong directly into the folder, and a table or array without labels has none"
        )
    for name, count in counts.items():
        if count < 3:
            raise InputError(
                f"{path}: class {name!r} has {count} videos, expected at least 3 (train, val, test); "
                "add videos or remove the class"
            )


def read_labels(
    all_videos: list[Video], kept: list[Video], dataset: VideoDataset
) -> tuple[Labels, list[str]]:
    """(labels and targets of the videos ``kept`` of all, notes).

    Raises:
        InputError: a class all of whose videos were left out, or text where numbers are expected.
    """
    notes: list[str] = []
    codes, classes = _codes(all_videos, kept, dataset.path)
    unknown = int((codes < 0).sum())
    if classes and unknown:
        notes.append(f"{unknown} of {len(codes)} videos have no label")
    targets = {name: [video.columns[name] for video in kept] for name in kept[0].columns}
    asked = dataset.targets | dataset.nuisances
    kinds: dict[str, Kind] = {}
    for name, texts in targets.items():
        kind = asked.get(name, "classes")
        kinds[name] = kind_of(texts) if kind == "auto" else kind
        where = f"{'nuisances' if name in dataset.nuisances else 'targets'}.{name}"
        check_numbers([video.name for video in kept], texts, kinds[name], where, dataset.path)
        notes.append(f"{name}: taken as {kinds[name]}{_lacking(texts)}")
        if kind == "auto":
            notes += _nearly_numbers(name, texts, kinds[name], where)
    return Labels(codes, classes, targets, kinds, tuple(dataset.nuisances)), notes


def _lacking(texts: list[str]) -> str:
    """How many values there are, where some are missing."""
    there = sum(map(bool, texts))
    return f"; {there} of {len(texts)} videos have a value" if there < len(texts) else ""


def _nearly_numbers(name: str, texts: list[str], kind: Kind, where: str) -> list[str]:
    """A sentence where a few texts keep a column from being numbers."""
    there = [text for text in texts if text]
    others = [text for text in there if not is_number(text)]
    if kind == "numbers" or not 0 < len(others) <= _FEW * len(there):
        return []
    field = where.split(".")[0]
    different = list(map(repr, dict.fromkeys(others)))
    verb = "is" if len(different) == 1 else "are"
    return [
        f"{name}: taken as classes, though {len(there) - len(others)} of {len(there)} values are "
        f"numbers; {few(different, 3)} {verb} not: {field}: {{{name}: numbers}} "
        f"needs numbers or empty cells, and {field}: {{{name}: classes}} says that classes are meant"
    ]


def _codes(all_videos: list[Video], kept: list[Video], path: str) -> tuple[np.ndarray, list[str]]:
    classes = sorted({video.label for video in all_videos if video.label}, key=by_number)
    code = {name: i for i, name in enumerate(classes)}
    codes = np.array([code.get(video.label, -1) for video in kept], np.int64)
    counts = np.bincount(codes[codes >= 0], minlength=len(classes))
    for name, count in zip(classes, counts, strict=True):
        if not count:
            raise InputError(
                f"{path}: class {name!r}: all of its videos were left out as unreadable or too short; "
                "mend them, or remove the class"
            )
    return codes, classes
