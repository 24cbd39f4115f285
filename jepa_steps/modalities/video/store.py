"""The prepared store: ``frames.npy`` (uint8, memory-mapped), ``videos.npy``, ``splits.csv``,
``manifest.json``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...arrays import map_array
from ...data.splits import SPLITS, read_splits
from ...data.windows import Windows
from ...errors import InputError
from ...files import read_json

VIDEO = ("begin", "frames", "part")
"""Columns of videos.npy: first frame in frames.npy, number of frames, code of the part."""


@dataclass(frozen=True)
class VideoStore:
    """A prepared data set of videos.

    frames: uint8 (F, H, W, C), the frames of all videos one after another, memory-mapped, read-only.
    videos: int64 (V, 3), see ``VIDEO``.
    windows: the clips as places in ``frames``.
    labels: int64 (n,) of the clips, -1 = no label.
    split: int64 (n,), 0 train, 1 val, 2 test.
    manifest: settings, counts, classes, pixel statistics of the training part, audit, hashes.
    """

    frames: np.ndarray
    videos: np.ndarray
    windows: Windows
    labels: np.ndarray
    split: np.ndarray
    manifest: dict[str, Any]

    def __len__(self) -> int:
        return len(self.split)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(T, H, W, C) of a clip."""
        return (self.windows.longest, *self.frames.shape[1:])

    def rows(self, name: str) -> np.ndarray:
        """Sample numbers of the part ``name``, ascending."""
        return np.flatnonzero(self.split == SPLITS.index(name))

    def samples(self, rows: np.ndarray) -> np.ndarray:
        """Clips uint8 (B, T, H, W, C) of rows int64 (B,)."""
        flat = self.windows.values(self.frames.reshape(len(self.frames), -1), rows)
        return flat.reshape(len(rows), *self.shape)


def open_store(folder: Path) -> VideoStore:
    """Open what ``prepare`` wrote.

    Raises:
        InputError: missing or inconsistent files.
    """
    manifest = read_json(folder / "manifest.json", "sha256", "settings")
    frames, videos = map_array(folder / "frames.npy"), np.array(map_array(folder / "videos.npy"))
    table, clips = read_splits(folder / "splits.csv"), clips_of(videos, manifest["settings"])
    if len(clips) != len(table.labels):
        raise InputError(
            f"{folder}: {len(clips)} clips but {len(table.labels)} rows in splits.csv; prepare it again"
        )
    return VideoStore(frames, videos, clips, table.labels, table.split, manifest)


def clips_of(videos: np.ndarray, settings: dict[str, Any]) -> Windows:
    """The clips of videos int64 (V, 3) by a data set's plain settings."""
    return Windows(videos[:, 0], videos[:, 1], settings["clip_length"], 0, settings["clip_stride"])
