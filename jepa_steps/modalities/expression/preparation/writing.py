"""Writes the arrays of a prepared store, a block at a time."""

from pathlib import Path

import numpy as np
from scipy import sparse

from ....arrays import write_npy_header
from ..sources.source import BLOCK
from ..store import open_csr


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
