"""Writes the arrays of a prepared store, a block at a time.

Shapes: g genes of the store.
"""

from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from .... import draws
from ....arrays import write_npy_header
from ....data.splits import SPLITS
from ..sources.source import BLOCK
from ..store import open_csr
from .count_values import ENOUGH
from .screen import Screen
from .survey import numbered

_SAMPLE = 4_096  # training cells behind the components of gene features


class CsrWriter:
    """Append CSR rows to three parts, which ``finish`` joins: memory holds one block at a time."""

    def __init__(self, folder: Path, scratch: Path):
        self._folder, self._scratch = folder, scratch
        scratch.mkdir(parents=True, exist_ok=True)
        self._lengths: list[list[np.ndarray]] = [[], [], []]

    def append(self, part: int, x: sparse.csr_matrix) -> None:
        """Add rows of float32 values to part 0, 1 or 2."""
        self._lengths[part].append(np.diff(x.indptr).astype(np.int32))
        for name, values in (("data", x.data), ("indices", x.indices.astype(np.int32))):
            with (self._scratch / f"{name}{part}").open("ab") as file:
                values.tofile(file)

    def finish(self) -> None:
        """Write data.npy, indices.npy and indptr.npy: part 0, then 1, then 2."""
        lengths = np.concatenate([n for part in self._lengths for n in part] or [np.zeros(0, np.int32)])
        indptr = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
        np.save(self._folder / "indptr.npy", indptr)
        for name, dtype in (("data", "<f4"), ("indices", "<i4")):
            with (self._folder / f"{name}.npy").open("wb") as out:
                write_npy_header(out, dtype, (int(indptr[-1]),))
                for part in range(3):
                    _move(self._scratch / f"{name}{part}", out)


def _move(source: Path, out) -> None:
    if source.exists():
        with source.open("rb") as file:
            while piece := file.read(1 << 24):
                out.write(piece)
        source.unlink()


def write_dense(folder: Path, genes: int, limit: int) -> None:
    """Write dense.npy from the CSR arrays beside it; no rows where they would exceed ``limit`` MiB."""
    csr = open_csr(folder, genes)
    n, size = len(csr.indptr) - 1, max(1, BLOCK // genes)
    n = n if n * genes * 4 <= limit << 20 else 0
    with (folder / "dense.npy").open("wb") as out:
        write_npy_header(out, "<f4", (n, genes))
        for a in range(0, n, size):
            csr.matrix(np.arange(a, min(a + size, n))).toarray().tofile(out)


def write_matrix(
    screen: Screen, folder: Path, scratch: Path
) -> tuple[np.ndarray, sparse.csr_matrix, tuple[np.ndarray, np.ndarray]]:
    """The second pass; returns sums and sums of squares of training cells, float64 (2, g), a sample of
    them as stored, and what ``count_values`` finds in all cells of the source."""
    split, transform = screen.split, screen.transform
    writer = CsrWriter(folder, scratch)
    sums, sample = np.zeros((2, len(transform.columns))), []
    worth, whole = np.ones(len(split)), np.ones(len(split), bool)
    train = np.flatnonzero(split == 0)
    if len(train) > _SAMPLE:
        draw = draws.generator(screen.dataset.split.seed, "gene features")
        train = draw.choice(train, _SAMPLE, replace=False)
    sampled = np.isin(np.arange(len(split)), train)
    for a, x in numbered(screen.source):
        rows = slice(a, a + x.shape[0])
        for part in range(len(SPLITS)):
            mine = split[rows] == part
            if not mine.any():
                continue
            own, totals = x[mine], screen.measured.totals[rows][mine]
            y = transform(own, totals)
            cells = a + np.flatnonzero(mine)
            worth[cells], whole[cells] = transform.count_values(own, totals)
            writer.append(part, y)
            if part == 0:
                values = y.data.astype(np.float64)
                sample.append(y[sampled[rows][mine]])
                np.add.at(sums[0], y.indices, values)
                np.add.at(sums[1], y.indices, values**2)
    writer.finish()
    return sums, sparse.vstack(sample, format="csr"), (worth, whole)


def write_count_values(
    screen: Screen, values: tuple[np.ndarray, np.ndarray], folder: Path
) -> dict[str, Any]:
    """Write count_values.npy, float32 by cell of the store, NaN in all where there are no counts;
    returns what the manifest says of it."""
    worth, whole = values
    rows = screen.stored
    known = whole[screen.split == 0].mean() >= ENOUGH
    np.save(folder / "count_values.npy", np.where(known, worth[rows], np.nan).astype(np.float32))
    kind = "given" if screen.transform.input == "counts" else "recovered"
    return {"kind": kind if known else "none", "inexact_cells": int((~whole[rows]).sum())}
