"""Class folders of video files, or of folders with a frame per image file."""

import os
import re
from pathlib import Path

from ....data import groups
from ....data.folders import NO_DATA, Samples, list_folder
from ..dataset import VideoDataset
from .source import Video, VideoSource

VIDEOS = Samples("videos")


def open_folder(path: Path, dataset: VideoDataset) -> VideoSource:
    """A video per file.

    Raises:
        InputError: as ``data.folders.list_folder``, or a path in which ``groups`` finds nothing.
    """
    return _listed(path, dataset, VIDEOS)


def open_frames(path: Path, dataset: VideoDataset) -> VideoSource:
    """A video per folder that holds no folders: its files are the frames, in the order of their names.

    Raises:
        InputError: as ``open_folder``.
    """
    source = _listed(path, dataset, Samples("videos", "folders of frames", _is_leaf))
    videos = []
    for video in source.videos:
        files = frame_files(video.item)
        videos.append(
            Video(video.name, files, len(files), video.label, video.group, video.given, video.columns)
        )
    return VideoSource(source.path, videos, source.notes)


def _listed(path: Path, dataset: VideoDataset, samples: Samples) -> VideoSource:
    listed = list_folder(path, samples)
    names = [str(file.relative_to(listed.root)) for file in listed.files]
    named = groups.of_paths(names, dataset.groups, listed.root)
    videos = [
        Video(
            names[i],
            file,
            label=listed.classes[i] or "",
            group="" if named is None else str(named[i]),
            given=listed.parts[i],
        )
        for i, file in enumerate(listed.files)
    ]
    return VideoSource(path, videos, listed.notes)


def _is_leaf(entry: Path) -> bool:
    """Whether an entry is a folder without folders."""
    if not entry.is_dir():
        return False
    with os.scandir(entry) as entries:
        return not any(e.is_dir() for e in entries if not _is_no_data(e.name))


def frame_files(folder: Path) -> tuple[Path, ...]:
    """Files of a folder in the order of the numbers in their names: frame2 before frame10."""
    return tuple(sorted((f for f in folder.iterdir() if not _is_no_data(f.name)), key=_natural))


def _is_no_data(name: str) -> bool:
    return name.startswith(".") or name.lower() in NO_DATA


def _natural(file: Path) -> tuple[list[tuple[int, str]], str]:
    """Texts and numbers of a name in turn; the name itself last, so that the order is total."""
    pieces = re.split(r"(\d+)", file.name)
    return [(int(p), "") if p.isdecimal() and p.isascii() else (-1, p) for p in pieces], file.name
