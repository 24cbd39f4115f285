"""What every reader of expression offers: names, annotations, and the matrix in row blocks."""

import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy import sparse

from ....errors import InputError

BLOCK = 2_000_000  # values of a block; its copies while it is worked on stay near 100 MiB
MOST_ROWS = 32_768
_MISSING = {"", "nan", "none", "na", "n/a", "null", "<na>"}

Blocks = Callable[[], Iterator[sparse.csr_matrix]]


@dataclass(frozen=True)
class Column:
    """One annotation of all cells.

    codes: int32 (n,), positions in values; -1 = missing.
    values: distinct texts, trimmed.
    absent: texts such as "None" that are read as missing, and the cells that have each.
    """

    codes: np.ndarray
    values: list[str]
    absent: dict[str, np.ndarray] = field(default_factory=dict)

    def counts(self) -> np.ndarray:
        """Cells of each value, int64."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.values))

    def text(self, row: int) -> str:
        """The text of cell ``row``, "" where it is missing."""
        code = self.codes[row]
        return self.values[code] if code >= 0 else ""

    def naming(self, texts: tuple[str, ...]) -> "Column":
        """The same, in which these texts mean themselves: a control may be called "None"."""
        codes, values = self.codes.copy(), list(self.values)
        named = self.absent.keys() & {text.strip() for text in texts}
        for text in sorted(named):
            codes[self.absent[text]] = len(values)
            values.append(text)
        absent = {text: cells for text, cells in self.absent.items() if text not in named}
        return Column(codes, values, absent)


@dataclass(frozen=True)
class ExpressionSource:
    """Cells x genes before anything is done to them.

    path: for messages.
    cells: how many.
    genes: gene names by the column of the gene table they stand in; "index" is always there.
    columns: names of the annotations.
    column: reads one annotation.
    names: ``names(a, b)`` are the names of cells a to b.
    blocks: the matrix from the first row to the last as CSR float32 blocks of at most BLOCK values,
        indices sorted, no stored zeros. Each call starts again.
    close: lets go of the file.
    note: what whoever reads the results must know of the data; goes into the manifest.
    types: what each column of the matrix measures, as Cell Ranger calls it; None where it is not said.
    left_out: columns of the matrix that are no genes, counted by what they are.
    """

    path: str
    cells: int
    genes: dict[str, list[str]]
    columns: list[str]
    column: Callable[[str], Column]
    names: Callable[[int, int], list[str]]
    blocks: Blocks
    close: Callable[[], None] = lambda: None
    note: str | None = None
    types: list[str] | None = None
    left_out: dict[str, int] = field(default_factory=dict)


def factorise(values: Iterable) -> Column:
    """Values of any type as codes of their trimmed texts; None, NaN and empty texts are missing."""
    codes, texts, code_of, absent = [], {}, {}, {}
    for i, value in enumerate(values):
        code = code_of.get(value)
        if code is None:
            text = _text(value)
            missing = text.casefold() in _MISSING
            code = -1 if missing else texts.setdefault(text, len(texts))
            if not (missing and text and isinstance(value, str | bytes)):
                code_of[value] = code
            else:
                absent.setdefault(text, []).append(i)
        codes.append(code)
    cells = {text: np.array(rows, np.int64) for text, rows in absent.items()}
    return Column(np.array(codes, np.int32), list(texts), cells)


def _text(value: object) -> str:
    return " ".join((value.decode() if isinstance(value, bytes) else str(value)).split())


def bands(indptr: np.ndarray) -> Iterator[tuple[int, int]]:
    """Consecutive ranges of rows with at most BLOCK values each (one row may have more)."""
    a, n = 0, len(indptr) - 1
    while a < n:
        b = int(np.searchsorted(indptr, indptr[a] + BLOCK, side="right")) - 1
        b = min(max(b, a + 1), n, a + MOST_ROWS)
        yield a, b
        a = b


def block(matrix) -> sparse.csr_matrix:
    """A dense or sparse piece as CSR float32, indices sorted, no stored zeros."""
    with np.errstate(over="ignore"):  # a value beyond float32 becomes infinite and is reported as such
        csr = sparse.csr_matrix(matrix, dtype=np.float32)
    csr.sum_duplicates()
    csr.eliminate_zeros()
    return csr


def in_range(indices: np.ndarray, size: int) -> np.ndarray:
    """The indices, if all are 0 to ``size`` - 1; ValueError otherwise."""
    if len(indices) and (indices.min() < 0 or indices.max() >= size):
        raise ValueError(f"indices from {indices.min()} to {indices.max()}, expected 0 to {size - 1}")
    return indices


def guarded(blocks: Blocks, path: Path) -> Blocks:
    """Blocks whose damage, met while reading, is one line."""

    def read() -> Iterator[sparse.csr_matrix]:
        try:
            yield from blocks()
        except (OSError, EOFError, ValueError, KeyError, zlib.error, zipfile.BadZipFile) as error:
            text = str(error).splitlines()[0]
            raise InputError(f"{path}: damaged matrix: {text}; write the file again") from None

    return read
