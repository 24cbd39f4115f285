"""The prepared store: CSR of expression in three memory-mapped arrays, and a table of cells.

``data.npy`` float32, ``indices.npy`` int32 and ``indptr.npy`` int64 hold one row a cell in the order of
``splits.csv``: train, then val, then test, so that no cell of val or test moves a training row.
``dense.npy`` holds the same as float32 (n, G) where that is small enough, else (0, G).
``count_values.npy`` float32 (n,) gives the counts back: expm1 of a value over the cell's count value.

Shapes: n cells, G genes, B rows of a batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from ...arrays import Rows, map_array
from ...data.splits import SPLITS
from ...errors import InputError
from ...files import read_json, read_table
from .sources.source import BLOCK

FIELDS = (
    "index",
    "split",
    "label",
    "source",
    "group",
    "perturbation",
    "context",
    "batch",
    "dose",
    "type",
)
MOST_VALUES = 2**31 - 1  # of a matrix with int32 indices


@dataclass(frozen=True)
class Csr:
    """Rows of expression, memory-mapped, read-only.

    data float32 (nnz,), indices int32 (nnz,), indptr int64 (n + 1,); genes: G.
    """

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    genes: int

    def ragged(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(values float32 (k,), indices int32 (k,), offsets int64 (B + 1,)) of rows int64 (B,)."""
        found = self.matrix(rows)
        return found.data, found.indices, found.indptr.astype(np.int64)

    def view(self, rows: np.ndarray) -> Rows:
        """The matrix of rows int64 (B,), read slice by slice."""
        return Rows(self.matrix, rows, self.genes)

    def matrix(self, rows: np.ndarray) -> sparse.csr_matrix:
        """CSR float32 (B, G) of rows int64 (B,)."""
        views, starts = self._views
        if len(views) == 1:
            return views[0][rows]
        of = np.searchsorted(starts, rows, side="right") - 1
        parts = [view[rows[of == i] - starts[i]] for i, view in enumerate(views)]
        return sparse.vstack(parts, "csr")[np.argsort(np.argsort(of, kind="stable"))]

    @cached_property
    def _views(self) -> tuple[list[sparse.csr_matrix], list[int]]:
        """(the rows as scipy's matrices, the first row of each): one, or several of at most MOST_VALUES
        values, since scipy would copy all indices to int64 for more."""
        views, starts = [], [0]
        while not views or starts[-1] < len(self.indptr) - 1:
            a = starts[-1]
            b = int(np.searchsorted(self.indptr, self.indptr[a] + MOST_VALUES, side="right")) - 1
            view = sparse.csr_matrix((b - a, self.genes), dtype=np.float32)
            # One by one: scipy's constructor copies parts of larger arrays.
            view.indptr = (self.indptr[a : b + 1] - self.indptr[a]).astype(np.int32)
            held = slice(self.indptr[a], self.indptr[b])
            view.data, view.indices = self.data[held], self.indices[held]
            views.append(view)
            starts.append(b)
        return views, starts[:-1]


@dataclass(frozen=True)
class ExpressionStore:
    """A prepared Perturb-seq data set.

    csr: its rows. dense: the same as float32 (n, G), memory-mapped, or None.
    count_value: float32 (n,), what one count of a cell is on the linear scale; NaN in all cells where
        the source tells no counts.
    split: int64 (n,), 0 train, 1 val, 2 test.
    condition: int64 (n,), positions in the conditions of perturbations.json; 0 = control.
    context, batch: int64 (n,), positions in contexts and batches.
    genes: names of the G columns.
    mean, std: float32 (G,), of a column over training cells.
    features: float32 (slots, F), what is known of perturbed genes; (slots, 0) for nothing.
    """

    csr: Csr
    dense: np.ndarray | None
    count_value: np.ndarray
    split: np.ndarray
    condition: np.ndarray
    context: np.ndarray
    contexts: list[str]
    batch: np.ndarray
    batches: list[str]
    genes: list[str]
    mean: np.ndarray
    std: np.ndarray
    features: np.ndarray
    perturbations: dict[str, Any]
    manifest: dict[str, Any]

    def __len__(self) -> int:
        return len(self.split)

    def rows(self, name: str) -> np.ndarray:
        """Cell numbers of the split ``name``, ascending."""
        return np.flatnonzero(self.split == SPLITS.index(name))

    @property
    def labels(self) -> np.ndarray:
        """What a cell is told apart by: its condition."""
        return self.condition

    def samples(self, rows: np.ndarray) -> np.ndarray:
        """Expression float32 (B, G) of rows int64 (B,)."""
        return self.csr.matrix(rows).toarray() if self.dense is None else self.dense[rows]

    def blocks(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(rows (B,), float32 (B, G)) over ``rows`` in order, in pieces of bounded size."""
        size = max(1, BLOCK // len(self.genes))
        for a in range(0, len(rows), size):
            yield rows[a : a + size], self.samples(rows[a : a + size])


def open_store(folder: Path) -> ExpressionStore:
    """Open what ``prepare`` wrote.

    Raises:
        InputError: missing, damaged or inconsistent files.
    """
    manifest = read_json(folder / "manifest.json", "sha256", "settings", "leaky")
    perturbations = read_json(folder / "perturbations.json", "conditions", "perturbations")
    genes, mean, std = read_genes(folder / "genes.csv")
    csr = open_csr(folder, len(genes))
    dense = _mapped(folder / "dense.npy")
    table = read_table(folder / "splits.csv", "split", *FIELDS[5:], only=True)
    n = len(table["split"])
    count_value = np.array(_mapped(folder / "count_values.npy"))
    if len(csr.indptr) != n + 1 or len(count_value) != n:
        raise InputError(
            f"{folder}: {n} cells in splits.csv but {len(csr.indptr) - 1} rows in indptr.npy and "
            f"{len(count_value)} in count_values.npy; prepare it again"
        )
    number = {(c["perturbation"], c["type"], c["dose"]): i
              for i, c in enumerate(perturbations["conditions"])}  # fmt: skip
    keys = zip(table["perturbation"], table["type"], table["dose"], strict=True)
    try:
        condition = np.array([number[key] for key in keys], np.int64)
    except KeyError as error:
        raise InputError(
            f"{folder}: {error.args[0]} in splits.csv is no condition of perturbations.json; "
            "prepare it again"
        ) from None
    (contexts, context), (batches, batch) = (
        np.unique(table[name], return_inverse=True) for name in ("context", "batch")
    )
    return ExpressionStore(
        csr, dense if len(dense) else None, count_value,
        np.array([SPLITS.index(s) for s in table["split"]]), condition, context, contexts.tolist(),
        batch, batches.tolist(), genes, mean, std, np.array(_mapped(folder / "gene_features.npy")),
        perturbations, manifest,
    )  # fmt: skip


def open_csr(folder: Path, genes: int) -> Csr:
    """The three arrays of a prepared folder.

    Raises:
        InputError: missing or damaged, or not of the same store.
    """
    data, indices, indptr = (_mapped(folder / f"{n}.npy") for n in ("data", "indices", "indptr"))
    if len(data) != len(indices) or not len(indptr) or indptr[-1] != len(data):
        raise InputError(f"{folder}: {len(data)} values, {len(indices)} indices and an indptr that ends "
                         f"at {indptr[-1:].tolist()} do not fit; prepare it again")  # fmt: skip
    return Csr(data, indices, indptr, genes)


def _mapped(path: Path) -> np.ndarray:
    """A memory-mapped array, as plain ndarray: slices of np.memmap cost ten times as much."""
    return map_array(path).view(np.ndarray)


def read_genes(path: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, means and standard deviations over training cells, float32 (G,), of a ``genes.csv``.

    Raises:
        InputError: missing file, or one without these columns.
    """
    table = read_table(path, "gene", "mean", "std")
    try:
        mean, std = (np.array([float(text) for text in table[n]], np.float32) for n in ("mean", "std"))
    except ValueError:
        raise InputError(f"{path}: expected numbers as mean and std; prepare it again") from None
    return table["gene"], mean, std
