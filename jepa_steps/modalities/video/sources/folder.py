"""Class folders of video files, or of folders with a frame per image file."""

import os
import re
from collections.abc import Container
from dataclasses import replace
from pathlib import Path

from ....data import groups
from ....data.folders import NO_DATA, Samples, list_folder
from ....errors import InputError
from ..dataset import VideoDataset
from ..preparation.containers import SUFFIXES
from .source import Video, VideoSource

VIDEOS = Samples("videos")
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")


def open_folder(path: Path, dataset: VideoDataset) -> VideoSource:
    """A video per file.

    Raises:
        InputError: as ``data.folders.list_folder``, a path in which ``groups`` finds nothing, or image
        files only.
    """
    if not _first(path, SUFFIXES) and (image := _first(path, IMAGES)):
        raise InputError(
            f"{path}: found image files and no videos (e.g. {image}), expected video files; set source: "
            "frames, which takes a folder of image files for a video"
        )
    return _listed(path, dataset, VIDEOS)


def open_frames(path: Path, dataset: VideoDataset) -> VideoSource:
    """A video per folder that holds no folders: its files are the frames, in the order of their names.

    Raises:
        InputError: as ``open_folder``, of video files only.
    """
    if not _first(path, (*IMAGES, ".gif")) and (video := _first(path, SUFFIXES)):
        raise InputError(
            f"{path}: found video files and no images (e.g. {video}), expected folders of image files; "
            "set source: folder, which takes each file for a video"
        )
    source = _listed(path, dataset, Samples("videos", "folders of frames", _is_leaf))
    videos = []
    for video in source.videos:
        files = frame_files(video.item)
        videos.append(
            Video(video.name, files, len(files), video.label, video.group, video.given, video.columns)
        )
    return VideoSource(source.path, videos, source.notes, source.grouped)


def _listed(path: Path, dataset: VideoDataset, samples: Samples) -> VideoSource:
    table = Path(dataset.table) if dataset.table else None
    listed = list_folder(path, replace(samples, table=table))
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
    return VideoSource(path, videos, listed.notes, f"by {dataset.groups!r}" if dataset.groups else "")


def _first(path: Path, suffixes: Container[str]) -> Path | None:
    """The first file below a folder whose name ends so, relative to it; links to folders are not
    followed."""
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not _is_no_data(name))
        for name in sorted(files):
            if Path(name).suffix.lower() in suffixes and not _is_no_data(name):
                return (Path(folder) / name).relative_to(path)
    return None


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
