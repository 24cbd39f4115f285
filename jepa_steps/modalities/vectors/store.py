"""The prepared store: ``vectors.npy``, ``raw.npy`` and ``tokens.npy`` (float32, memory-mapped, the
latter two without values where none were given), ``splits.csv``, ``manifest.json``."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ... import draws
from ...arrays import map_array
from ...data.splits import SPLITS, read_splits
from ...errors import InputError
from ...files import read_json


@dataclass(frozen=True)
class VectorStore:
    """A prepared data set of embeddings.

    parts: arrays float32 (n, ...) by name, memory-mapped: vectors, raw, tokens.
    order: int64 (n,), for each sample another of its part, for the floor with shuffled labels.
    labels: int64 (n,), -1 = no label. split: int64 (n,), 0 train, 1 val, 2 test.
    """

    parts: dict[str, np.ndarray]
    order: np.ndarray
    labels: np.ndarray
    split: np.ndarray
    manifest: dict[str, Any]

    def __len__(self) -> int:
        return len(self.split)

    @property
    def places(self) -> dict[str, tuple[int, int]]:
        """Where in a sample the values of each part begin and end; ``shuffled`` are the embeddings of
        another sample."""
        found, end = {}, 0
        for name in ("vectors", "shuffled", "raw", "tokens"):
            begin, end = end, end + math.prod(self.shape(name))
            found[name] = (begin, end)
        return found

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of one sample of a part."""
        return self.parts["vectors" if name == "shuffled" else name].shape[1:]

    def rows(self, name: str) -> np.ndarray:
        """Sample numbers of the part ``name``, ascending."""
        return np.flatnonzero(self.split == SPLITS.index(name))

    def samples(self, rows: np.ndarray) -> np.ndarray:
        """float32 (B, W), all that is known of rows int64 (B,) side by side, as ``places`` says."""
        found = {name: part[rows].reshape(len(rows), -1) for name, part in self.parts.items()}
        shuffled = self.parts["vectors"][self.order[rows]]
        return np.hstack([found["vectors"], shuffled, found["raw"], found["tokens"]])


def open_store(folder: Path) -> VectorStore:
    """Open what ``prepare`` wrote.

    Raises:
        InputError: missing or inconsistent files.
    """
    manifest = read_json(folder / "manifest.json", "sha256", "settings")
    parts = {name: map_array(folder / f"{name}.npy") for name in ("vectors", "raw", "tokens")}
    table = read_splits(folder / "splits.csv")
    for name, part in parts.items():
        if len(part) != len(table.labels):
            raise InputError(
                f"{folder}: {len(part)} rows in {name}.npy but {len(table.labels)} in splits.csv; "
                "prepare it again"
            )
    seed = manifest["settings"]["split"]["seed"]
    return VectorStore(parts, _other_rows(table.split, seed), table.labels, table.split, manifest)


def _other_rows(split: np.ndarray, seed: int) -> np.ndarray:
    """int64 (n,), a random order of the samples within each part."""
    order = np.arange(len(split))
    for code in range(len(SPLITS)):
        rows = np.flatnonzero(split == code)
        order[rows] = draws.generator(seed, "shuffled labels", code).permutation(rows)
    return order
