"""Opens what a data set names."""

from pathlib import Path

from ....errors import InputError
from ..dataset import VideoDataset
from .arrays import open_arrays
from .folder import open_folder, open_frames
from .generated import open_moving_digits
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
    return source
