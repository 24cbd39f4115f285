"""The prepared store: ``values.npy`` (float32, memory-mapped, NaN = missing), ``segments.npy``,
``splits.csv``, ``manifest.json``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...arrays import map_array
from ...data.splits import SPLITS, read_splits
from ...data.windows import Windows
from ...errors import InputError
from ...files import read_json

SEGMENT = ("series", "begin", "steps", "part")
"""Columns of segments.npy: number of the series, first step in values.npy, steps, code of the part."""


@dataclass(frozen=True)
class SeriesStore:
    """A prepared data set of time series.

    values: float32 (T, C), the time steps of all series one after another, memory-mapped; NaN = missing.
    segments: int64 (S, 4), see ``SEGMENT``.
    windows: the samples as places in ``values``.
    labels: int64 (n,), -1 = no label.
    split: int64 (n,), 0 train, 1 val, 2 test.
    manifest: settings, counts, classes, channel statistics of the training part, audit, hashes.
    """

    values: np.ndarray
    segments: np.ndarray
    windows: Windows
    labels: np.ndarray
    split: np.ndarray
    manifest: dict[str, Any]

    def __len__(self) -> int:
        return len(self.split)

    @property
    def shape(self) -> tuple[int, int]:
        """(L, C) of a sample."""
        return self.windows.longest, self.values.shape[1]

    def rows(self, name: str) -> np.ndarray:
        """Sample numbers of the part ``name``, ascending."""
        return np.flatnonzero(self.split == SPLITS.index(name))

    def samples(self, rows: np.ndarray) -> np.ndarray:
        """Values float32 (B, L, C) of rows int64 (B,) as they were read; NaN = missing, or after the end
        of a series shorter than L."""
        return self.windows.values(self.values, rows)

    def futures(self, rows: np.ndarray) -> np.ndarray:
        """The time steps after windows, float32 (B, target_length, C)."""
        return self.windows.futures(self.values, rows)


def open_store(folder: Path) -> SeriesStore:
    """Open what ``prepare`` wrote.

    Raises:
        InputError: missing or inconsistent files.
    """
    manifest = read_json(folder / "manifest.json", "sha256", "settings")
    values, segments = map_array(folder / "values.npy"), np.array(map_array(folder / "segments.npy"))
    table, windows = read_splits(folder / "splits.csv"), windows_of(segments, manifest["settings"])
    if len(windows) != len(table.labels):
        raise InputError(
            f"{folder}: {len(windows)} samples but {len(table.labels)} rows in splits.csv; prepare it "
            "again"
        )
    return SeriesStore(values, segments, windows, table.labels, table.split, manifest)


def windows_of(segments: np.ndarray, settings: dict[str, Any]) -> Windows:
    """The samples of segments int64 (S, 4) by a data set's plain settings."""
    lengths = (settings["context_length"], settings["target_length"], settings["stride"])
    return Windows(segments[:, 1], segments[:, 2], *lengths)
