"""One file for each channel, as microscopes write them: which files are one image.

Names are paths below the data set's folder; the pattern's capture group holds the channel's name.
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ....data.folders import Listed, few
from ....errors import InputError


@dataclass(frozen=True)
class Stacks:
    """Images of several files.

    names: of the images, their files' common path with * for the channel. files: of each, in order of
    the channels. channels: their names. parts, classes: as ``data.folders.Listed``. skipped: a reason
    for each image that lacks a channel."""

    names: list[str]
    files: list[tuple[Path, ...]]
    channels: tuple[str, ...]
    parts: list[int]
    classes: list[str | None]
    skipped: tuple[str, ...]


def stacked(listed: Listed, pattern: str, skip: bool) -> Stacks:
    """Files that differ in the channel alone, as one image.

    Args:
        skip: whether an image that lacks a channel is left out.

    Raises:
        InputError: a file without a channel, two files for one channel, or an image that lacks one.
    """
    images: dict[str, dict[str, int]] = {}
    spelt: dict[str, str] = {}  # names without their ending, as they were met first
    for i, file in enumerate(listed.files):
        name = file.relative_to(listed.root).as_posix()
        match = re.search(pattern, name)
        if match is None or not match[1]:
            raise InputError(
                f"{file}: channel_pattern {pattern!r} finds no channel in the path {name!r}, expected "
                "one in every file; change channel_pattern"
            )
        rest = f"{name[: match.start(1)]}*{name[match.end(1) :]}"
        bare = rest.removesuffix(file.suffix)
        if match[1] in images.setdefault(spelt.setdefault(bare, rest), {}):
            raise InputError(f"{file}: found a second file for channel {match[1]!r} of {spelt[bare]}")
        images[spelt[bare]][match[1]] = i
    counts = Counter(channel for found in images.values() for channel in found)
    channels = tuple(sorted(counts, key=_naturally))
    lacking = {name: found for name, found in images.items() if len(found) < len(channels)}
    if lacking and not skip:
        name = next(iter(lacking))
        absent = [channel for channel in channels if channel not in lacking[name]]
        raise InputError(
            f"{listed.root / name}: found no file for channel {few(absent)}; all {len(images)} images "
            f"together have {few(list(channels))} ({len(lacking)} lack one); add it, change "
            "channel_pattern, or set on_error: skip"
        )
    kept = [name for name in images if name not in lacking]
    firsts = [images[name][channels[0]] for name in kept]
    return Stacks(
        kept,
        [tuple(listed.files[images[name][channel]] for channel in channels) for name in kept],
        channels,
        [listed.parts[i] for i in firsts],
        _classes(kept, listed, firsts),
        tuple(f"{listed.root / name}: lacks a channel" for name in lacking),
    )


def _classes(names: list[str], listed: Listed, firsts: list[int]) -> list[str | None]:
    """Class folders, where the folder that was read as a class is that of a channel, too."""
    classes = [listed.classes[i] for i in firsts]
    deep = [name.split("/")[listed.parts[i] >= 0 :] for name, i in zip(names, firsts, strict=True)]
    if None in classes or not any("*" in parts[0] for parts in deep):
        return classes
    below = [[part for part in parts[:-1] if part != "*"] for parts in deep]
    return [parts[0] if parts else None for parts in below]


def _naturally(channel: str) -> list[tuple[int, int, str]]:
    """Order in which ch2 comes before ch10."""
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", channel)
    ]
