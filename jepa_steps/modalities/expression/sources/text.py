"""Expression out of a 10x folder or a CSV, in row blocks."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from scipy import sparse

from ....config.reading import is_number
from ....errors import InputError
from ....files import csv_rows, open_text
from ..dataset import ExpressionDataset
from .annotations import in_memory, read_annotations
from .keys import annotation_keys
from .source import BLOCK, ExpressionSource, block, factorise, guarded
from .transpose import row_blocks

_TEXT = 1 << 22  # characters of a matrix.mtx read at once


def open_mtx(path: Path, dataset: ExpressionDataset, scratch: Path) -> ExpressionSource:
    """A 10x folder: genes x cells in Matrix Market text, beside a CSV of annotations."""
    matrix = _one_of(path, ("matrix.mtx", "matrix.mtx.gz"))
    names = [row[0] for row in csv_rows(_one_of(path, ("barcodes.tsv", "barcodes.tsv.gz")), "\t")]
    places = ("features.tsv", "features.tsv.gz", "genes.tsv", "genes.tsv.gz")
    features = list(csv_rows(_one_of(path, places), "\t"))
    ids = [row[0] for row in features]
    genes = {"index": ids, "gene_name": [row[1] if len(row) > 1 else row[0] for row in features]}
    shape, entries, skip = _mtx_header(matrix)
    if shape != (len(ids), len(names)):
        raise InputError(
            f"{matrix}: found {shape[0]} genes x {shape[1]} cells, expected the {len(ids)} of features "
            f"and {len(names)} of barcodes"
        )
    table = Path(dataset.cells) if dataset.cells else None
    columns = read_annotations(table or _one_of(path, ("cells.csv", "obs.csv", "metadata.csv")), names)
    blocks = row_blocks(lambda: _mtx(matrix, shape, entries, skip), shape[::-1], scratch / "transpose")
    source = in_memory(path, names, genes, columns, guarded(blocks, path))
    typed = all(len(row) > 2 for row in features)
    return replace(source, types=[row[2].strip() for row in features]) if typed else source


def _mtx_header(path: Path) -> tuple[tuple[int, int], int, int]:
    """((genes, cells), number of values, lines before them)."""
    try:
        with open_text(path) as file:
            if not file.readline().lower().startswith("%%matrixmarket matrix coordinate"):
                raise InputError(f"{path}: found no '%%MatrixMarket matrix coordinate' in line 1")
            for number, line in enumerate(file, 2):
                if not line.startswith("%"):
                    rows, columns, entries = map(int, line.split())
                    return (rows, columns), entries, number
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    except ValueError:
        pass
    raise InputError(f"{path}: found no line of 'genes cells values' after the comments")


def _mtx(
    path: Path, shape: tuple[int, int], entries: int, skip: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    count = 0
    with open_text(path) as file:
        for _ in range(skip):
            file.readline()
        while lines := file.readlines(_TEXT):
            try:
                numbers = np.array(" ".join(lines).split(), np.float64).reshape(-1, 3)
            except ValueError:
                raise InputError(
                    f"{path}: near value {count}: expected lines of 'gene cell value'"
                ) from None
            places = numbers[:, :2].astype(np.int64) - 1
            if len(places) and (places.min() < 0 or (places.max(0) >= shape).any()):
                raise InputError(f"{path}: near value {count}: a gene or cell number out of {shape}")
            count += len(numbers)
            yield places[:, 1], places[:, 0], numbers[:, 2]
    if count != entries:
        raise InputError(f"{path}: found {count} values, expected {entries}; the file is cut off")


def open_csv(path: Path, dataset: ExpressionDataset) -> ExpressionSource:
    """One row a cell: name, annotations, genes."""
    try:
        first, *header = next(csv_rows(path))
    except StopIteration:
        raise InputError(
            f"{path}: found an empty file, expected a header and one row per cell"
        ) from None
    usual = {name.casefold() for name in annotation_keys(dataset)}
    _check_header(first, header, usual, path)
    annotations = [name for name in header if name.casefold() in usual]
    picked = [i for i, name in enumerate(header, 1) if name in annotations]
    genes = [i for i, name in enumerate(header, 1) if name not in annotations]
    names, values = [], [[] for _ in picked]
    for number, row in enumerate(islice(csv_rows(path), 1, None), 2):
        if len(row) != len(header) + 1:
            raise InputError(
                f"{path}: line {number}: found {len(row)} fields, expected {len(header) + 1}"
            )
        names.append(row[0])
        for column, i in zip(values, picked, strict=True):
            column.append(row[i])
    columns = {n: factorise(v) for n, v in zip(annotations, values, strict=True)}
    if dataset.cells:
        columns |= read_annotations(Path(dataset.cells), names)

    def blocks() -> Iterator[sparse.csr_matrix]:
        rows = islice(csv_rows(path), 1, None)
        size = max(1, BLOCK // max(8 * len(genes), 1))  # texts take more memory than numbers
        first = 2
        while part := list(islice(rows, size)):
            yield block(np.stack([_numbers(row, genes, header, path, first + i)
                                  for i, row in enumerate(part)]))  # fmt: skip
            first += len(part)

    return in_memory(path, names, {"index": [header[i - 1] for i in genes]}, columns, blocks)


def _check_header(first: str, header: list[str], usual: set[str], path: Path) -> None:
    if not header and (sign := next((s for s in ";\t|" if s in first), None)):
        raise InputError(f"{path}: found fields divided by {sign!r}, expected commas; write it again")
    if first.strip().casefold() in usual:
        raise InputError(
            f"{path}: the first column is {first!r}, expected names of cells; put these before it"
        )


def _numbers(row: list[str], picked: list[int], header: list[str], path: Path, line: int) -> np.ndarray:
    try:
        return np.array([row[i] for i in picked], np.float64)
    except ValueError:
        bad = next(i for i in picked if not is_number(row[i]))
        raise InputError(
            f"{path}: line {line}: column {header[bad - 1]!r}: found {row[bad]!r}, expected a number; "
            "name columns of annotations in keys, targets or nuisances, or put them into a table of "
            "their own (cells)"
        ) from None


def _one_of(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"{folder}: found none of {', '.join(names)}")
