"""The prepared store: ``images.npy`` (uint8, memory-mapped), ``splits.csv``, ``manifest.json``."""

import csv
import hashlib
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..cli import read_json, write_csv
from ..errors import InputError
from .splits import SPLITS

FIELDS = ("index", "split", "label", "source")


@dataclass(frozen=True)
class Splits:
    """What ``splits.csv`` says of every sample.

    labels: int64 (n,), -1 = no label.
    split: int64 (n,), 0 train, 1 val, 2 test.
    groups: int64 (n,), numbers of the units that never cross splits; 0 to n - 1 without groups.
    group_names: of these numbers, in order; empty where every sample is its own group.
    context, batch: int64 (n,), of cells: what they are beside their label; None for images.
    dose: float64 (n,), of cells, NaN where there is none or several; None for images.
    perturbation: str (n,), of cells; None for images.
    """

    labels: np.ndarray
    split: np.ndarray
    groups: np.ndarray
    group_names: tuple[str, ...] = ()
    context: np.ndarray | None = None
    batch: np.ndarray | None = None
    dose: np.ndarray | None = None
    perturbation: np.ndarray | None = None

    @property
    def named_groups(self) -> bool:
        """Whether the data set has groups of its own."""
        return bool(self.group_names)

    @property
    def nuisance(self) -> np.ndarray | None:
        """int64 (n,), what embeddings should not tell: the batch of a cell, the group of an image."""
        if self.batch is not None:
            return self.batch if len(np.unique(self.batch)) > 1 else None
        return self.groups if self.named_groups else None


@dataclass(frozen=True)
class Store:
    """A prepared data set.

    images: uint8 (n, H, W, C), memory-mapped, read-only.
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
        """Images uint8 (B, H, W, C) of rows int64 (B,)."""
        return self.images[rows]


def open_store(folder: Path) -> Store:
    """Open what ``prepare`` wrote.

    Raises:
        InputError: missing or inconsistent files.
    """
    manifest = read_json(folder / "manifest.json", "sha256")
    try:
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / 'images.npy'}: cannot be read: {error}") from None
    table = read_splits(folder / "splits.csv")
    if len(images) != len(table.labels):
        raise InputError(
            f"{folder}: {len(images)} images but {len(table.labels)} rows in splits.csv; "
            "prepare it again"
        )
    return Store(images, table.labels, table.split, manifest)


def read_splits(path: Path) -> Splits:
    """What a ``splits.csv`` says; without a group column every sample is its own group.

    Raises:
        InputError: missing file or a malformed row, named by number.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; run jepa_steps.prepare first")
    labels, split, groups = [], [], []
    others: dict[str, list[str]] = {"context": [], "batch": [], "dose": [], "perturbation": []}
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        grouped = "group" in (reader.fieldnames or ())
        for number, row in enumerate(reader, 2):
            try:
                labels.append(int(row["label"]))
                split.append(SPLITS.index(row["split"]))
                groups.append(str(row["group"]) if grouped else "")
                for name, values in others.items():
                    values += [row[name]] if name in row else []
            except (KeyError, TypeError, ValueError):
                raise InputError(
                    f"{path}: line {number}: found {row}, expected the columns {', '.join(FIELDS)}, "
                    f"an integer label and a split of {', '.join(SPLITS)}"
                ) from None
    names, codes = np.unique(groups, return_inverse=True) if grouped else ((), np.arange(len(labels)))
    if len(names) == len(labels):
        names, codes = (), np.arange(len(labels))
    doses, perturbations = others.pop("dose"), others.pop("perturbation")
    return Splits(
        np.array(labels, dtype=np.int64),
        np.array(split, dtype=np.int64),
        codes.astype(np.int64),
        tuple(str(name) for name in names),
        *(np.unique(values, return_inverse=True)[1] if values else None for values in others.values()),
        np.array([_number(text) for text in doses]) if doses else None,
        np.array(perturbations) if perturbations else None,
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def evenly(rows: np.ndarray, most: int) -> np.ndarray:
    """At most ``most`` of the rows, evenly spaced, in order."""
    places = np.linspace(0, len(rows) - 1, min(len(rows), most))
    return rows[places.round().astype(np.int64)]


def read_array(path: Path, axes: str) -> np.ndarray:
    """A memory-mapped array of finite numbers; ``axes`` names its dimensions: "rows, dimensions".

    Raises:
        InputError: missing or damaged file, other dimensions, text, or values that are not finite.
    """
    if path.is_dir():
        raise InputError(f"{path}: found a folder, expected an .npy file in it")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: not a readable .npy file: {error}") from None
    if array.ndim != len(axes.split(", ")) or array.dtype.kind not in "fiu":
        raise InputError(
            f"{path}: found shape {array.shape} of {array.dtype}, expected numbers ({axes})"
        )
    for a in range(0, len(array), 4096):
        finite = np.isfinite(array[a : a + 4096]).reshape(len(array[a : a + 4096]), -1).all(1)
        if not finite.all():
            raise InputError(
                f"{path}: row {a + int(finite.argmin())} holds NaN or infinity; training diverged"
            )
        release(array)
    return array


def release(array: object) -> None:
    """Give back the pages of a read-only memory map that were read; they count as resident memory."""
    if isinstance(array, np.memmap) and array.mode == "r":
        array._mmap.madvise(mmap.MADV_DONTNEED)


def write_splits(
    path: Path, split: np.ndarray, labels: np.ndarray, names: list[str], groups: np.ndarray | None
) -> None:
    """Write ``splits.csv``, one row a sample in the order of ``images.npy``; groups if there are any."""
    columns = [range(len(split)), (SPLITS[code] for code in split), labels, names]
    header = FIELDS if groups is None else (*FIELDS, "group")
    write_csv(path, header, zip(*columns, *([] if groups is None else [groups]), strict=True))


def sha256(path: Path) -> str:
    """Hex digest of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class ImageWriter:
    """Append images to an ``.npy`` file whose length is known only at the end.

    Plain writes rather than a memory map: mapped pages count as resident memory.
    """

    def __init__(self, path: Path, shape: tuple[int, int, int]):
        self._file = path.open("wb")
        self._shape, self.n = shape, 0
        self._header()

    def _header(self) -> None:
        # numpy pads headers so that the first axis may grow without moving the data.
        self._file.seek(0)
        header = {"descr": "|u1", "fortran_order": False, "shape": (self.n, *self._shape)}
        np.lib.format.write_array_header_1_0(self._file, header)

    def append(self, images: np.ndarray) -> None:
        """Write uint8 (n, H, W, C)."""
        self._file.write(np.ascontiguousarray(images).data)
        self.n += len(images)

    def close(self) -> None:
        self._header()
        self._file.close()
