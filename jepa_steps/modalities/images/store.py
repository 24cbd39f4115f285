"""The prepared store: ``images.npy`` (memory-mapped), ``splits.csv``, ``manifest.json``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...arrays import map_array, write_npy_header
from ...data.splits import SPLITS, read_splits
from ...errors import InputError
from ...files import read_json


@dataclass(frozen=True)
class ImageStore:
    """A prepared data set of images.

    images: uint8, uint16 or float32 (n, H, W, C), memory-mapped, read-only.
    labels: int64 (n,), -1 = no label.
    split: int64 (n,), 0 train, 1 val, 2 test.
    manifest: counts, classes, pixel statistics of the training part, hashes.
    """

    images: np.ndarray
    labels: np.ndarray
    split: np.ndarray
    manifest: dict[str, Any]

    def __len__(self) -> int:
        return len(self.split)

    def rows(self, name: str) -> np.ndarray:
        """Sample numbers of the split ``name``, ascending."""
        return np.flatnonzero(self.split == SPLITS.index(name))

    def samples(self, rows: np.ndarray) -> np.ndarray:
        """Images (B, H, W, C) of rows int64 (B,)."""
        return self.images[rows]


def open_store(folder: Path) -> ImageStore:
    """Open what ``prepare`` wrote.

    Raises:
        InputError: missing or inconsistent files.
    """
    manifest = read_json(folder / "manifest.json", "sha256")
    images = map_array(folder / "images.npy")
    table = read_splits(folder / "splits.csv")
    if len(images) != len(table.labels):
        raise InputError(
            f"{folder}: {len(images)} images but {len(table.labels)} rows in splits.csv; "
            "prepare it again"
        )
    return ImageStore(images, table.labels, table.split, manifest)


class ImageWriter:
    """Append images to an ``.npy`` file whose length is known only at the end."""

    def __init__(self, path: Path, shape: tuple[int, int, int], dtype: np.dtype):
        self._file = path.open("wb")
        self._shape, self._dtype, self.n = shape, dtype, 0
        self._header()

    def _header(self) -> None:
        self._file.seek(0)
        write_npy_header(self._file, self._dtype.str, (self.n, *self._shape))

    def append(self, images: np.ndarray) -> None:
        """Write images (n, H, W, C)."""
        self._file.write(np.ascontiguousarray(images, self._dtype).data)
        self.n += len(images)

    def close(self) -> None:
        self._header()
        self._file.close()


def keep_rows(path: Path, chosen: np.ndarray) -> None:
    """Rewrite an ``.npy`` file of images with the rows of bool (n,) only, block by block."""
    images, shorter = map_array(path), path.with_suffix(".kept")
    writer = ImageWriter(shorter, images.shape[1:], images.dtype)
    rows = np.flatnonzero(chosen)
    for a in range(0, len(rows), 1024):
        writer.append(images[rows[a : a + 1024]])
    writer.close()
    shorter.replace(path)
