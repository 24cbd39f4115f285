"""Opens what a data set names."""

from dataclasses import replace
from pathlib import Path

from ....data.beside import read_beside
from ....data.matching import SampleNames
from ....errors import InputError
from ..dataset import VideoDataset
from .arrays import open_arrays
from .folder import open_folder, open_frames
from .generated import open_moving_digits
from .keys import USUAL
from .source import VideoSource
from .table import open_table

_EXPECTED = {
    "folder": "a folder of video files, or of class folders of these",
    "table": "a .csv, .tsv or .txt file of paths and labels",
    "frames": "a folder with a folder of image files per video, or of class folders of these",
    "arrays": "an .npz or .npy file",
    "moving-digits": "a data card, such as config/cards/NAME.md",
}
_FOLDERS = ("folder", "frames")  # sources that are one


def open_source(dataset: VideoDataset) -> VideoSource:
    """The videos of a data set; no file of a video is opened.

    Raises:
        InputError: a missing path, no videos, or what the source's own reader finds.
    """
    path, expected = Path(dataset.path), _EXPECTED[dataset.source]
    if not path.exists():
        raise InputError(f"path: {path} does not exist; expected {expected}")
    if path.is_dir() != (dataset.source in _FOLDERS):
        found = "folder" if path.is_dir() else "file"
        raise InputError(f"path: {path} is a {found}; source {dataset.source} expects {expected}")
    reader = {
        "folder": open_folder,
        "table": open_table,
        "frames": open_frames,
        "arrays": open_arrays,
        "moving-digits": open_moving_digits,
    }[dataset.source]
    source = reader(path, dataset)
    if not source.videos:
        raise InputError(f"{path}: no videos found")
    return source if dataset.table is None else _with_table(source, dataset)


def _with_table(source: VideoSource, dataset: VideoDataset) -> VideoSource:
    """What the table says, in place of what the folder says of the same."""
    names = [video.name for video in source.videos]
    samples = SampleNames(dataset.path, "videos", len(names), names, True, USUAL["path"])
    told, videos = read_beside(samples, dataset), []
    for i, number in enumerate(told.kept):
        video = source.videos[number]
        videos.append(
            replace(
                video,
                label=video.label if told.labels is None else told.labels[i],
                group=video.group if told.groups is None else str(told.groups[i]),
                given=video.given if told.given is None else int(told.given[i]),
                columns={name: texts[i] for name, texts in told.columns.items()},
            )
        )
    grouped = source.grouped if told.groups is None else f"of column {dataset.group!r}"
    return VideoSource(source.path, videos, [*source.notes, *told.notes], grouped, told.left_out)
