"""Expression out of a 10x folder, an ``.npz`` or a CSV, in row blocks."""

import csv
import gzip
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from scipy import sparse

from ...config.expression import ExpressionDataset
from ...errors import InputError
from .keys import annotation_keys
from .source import BLOCK, Column, ExpressionSource, bands, block, factorise, guarded, in_range
from .transpose import row_blocks

_TEXT = 1 << 22  # characters of a matrix.mtx read at once


def open_mtx(path: Path, dataset: ExpressionDataset, scratch: Path) -> ExpressionSource:
    """A 10x folder: genes x cells in Matrix Market text, beside a CSV of annotations."""
    matrix = _one_of(path, ("matrix.mtx", "matrix.mtx.gz"))
    names = [row[0] for row in _rows(_one_of(path, ("barcodes.tsv", "barcodes.tsv.gz")), "\t")]
    places = ("features.tsv", "features.tsv.gz", "genes.tsv", "genes.tsv.gz")
    features = list(_rows(_one_of(path, places), "\t"))
    ids = [row[0] for row in features]
    genes = {"index": ids, "gene_name": [row[1] if len(row) > 1 else row[0] for row in features]}
    shape, entries, skip = _mtx_header(matrix)
    if shape != (len(ids), len(names)):
        raise InputError(
            f"{matrix}: found {shape[0]} genes x {shape[1]} cells, expected the {len(ids)} of features "
            f"and {len(names)} of barcodes"
        )
    table = Path(dataset.cells) if dataset.cells else None
    columns = _annotations(table or _one_of(path, ("cells.csv", "obs.csv", "metadata.csv")), names)
    blocks = row_blocks(lambda: _mtx(matrix, shape, entries, skip), shape[::-1], scratch / "transpose")
    return _source(path, names, genes, columns, blocks)


def _mtx_header(path: Path) -> tuple[tuple[int, int], int, int]:
    """((genes, cells), number of values, lines before them)."""
    with _open(path) as file:
        if not file.readline().lower().startswith("%%matrixmarket matrix coordinate"):
            raise InputError(f"{path}: found no '%%MatrixMarket matrix coordinate' in line 1")
        for number, line in enumerate(file, 2):
            if not line.startswith("%"):
                try:
                    rows, columns, entries = map(int, line.split())
                except ValueError:
                    break
                return (rows, columns), entries, number
    raise InputError(f"{path}: found no line of 'genes cells values' after the comments")


def _mtx(
    path: Path, shape: tuple[int, int], entries: int, skip: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    seen = 0
    with _open(path) as file:
        for _ in range(skip):
            file.readline()
        while lines := file.readlines(_TEXT):
            try:
                numbers = np.array(" ".join(lines).split(), np.float64).reshape(-1, 3)
            except ValueError:
                raise InputError(
                    f"{path}: near value {seen}: expected lines of 'gene cell value'"
                ) from None
            places = numbers[:, :2].astype(np.int64) - 1
            if len(places) and (places.min() < 0 or (places.max(0) >= shape).any()):
                raise InputError(f"{path}: near value {seen}: a gene or cell number out of {shape}")
            seen += len(numbers)
            yield places[:, 1], places[:, 0], numbers[:, 2]
    if seen != entries:
        raise InputError(f"{path}: found {seen} values, expected {entries}; the file is cut off")


def open_csv(path: Path, dataset: ExpressionDataset) -> ExpressionSource:
    """One row a cell: name, annotations, genes."""
    try:
        header = next(_rows(path, ","))[1:]
    except StopIteration:
        raise InputError(f"{path}: found an empty file, expected a header and one row a cell") from None
    annotations = [name for name in header if name in annotation_keys(dataset)]
    picked = [i for i, name in enumerate(header, 1) if name in annotations]
    genes = [i for i, name in enumerate(header, 1) if name not in annotations]
    names, values = [], [[] for _ in picked]
    for number, row in enumerate(islice(_rows(path, ","), 1, None), 2):
        if len(row) != len(header) + 1:
            raise InputError(
                f"{path}: line {number}: found {len(row)} fields, expected {len(header) + 1}"
            )
        names.append(row[0])
        for column, i in zip(values, picked, strict=True):
            column.append(row[i])
    columns = {n: factorise(v) for n, v in zip(annotations, values, strict=True)}
    if dataset.cells:
        columns |= _annotations(Path(dataset.cells), names)

    def blocks() -> Iterator[sparse.csr_matrix]:
        rows = islice(_rows(path, ","), 1, None)
        size = max(1, BLOCK // max(8 * len(genes), 1))  # texts take more memory than numbers
        first = 2
        while part := list(islice(rows, size)):
            yield block(np.stack([_numbers(row, genes, header, path, first + i)
                                  for i, row in enumerate(part)]))  # fmt: skip
            first += len(part)

    return _source(path, names, {"index": [header[i - 1] for i in genes]}, columns, blocks)


def _numbers(row: list[str], picked: list[int], header: list[str], path: Path, line: int) -> np.ndarray:
    try:
        return np.array([row[i] for i in picked], np.float64)
    except ValueError:
        bad = next(i for i in picked if not _is_number(row[i]))
        raise InputError(
            f"{path}: line {line}: column {header[bad - 1]!r}: found {row[bad]!r}, expected a number; "
            "name columns of annotations in keys"
        ) from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def open_npz(path: Path, dataset: ExpressionDataset) -> ExpressionSource:
    """Arrays of an .npz; the matrix is read from the archive piece by piece."""
    try:
        archive = zipfile.ZipFile(path)
        with np.load(path, allow_pickle=False) as arrays:
            big = {"X", "data", "indices"}
            small = {name: arrays[name] for name in arrays.files if name not in big}
            have = set(arrays.files)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a readable .npz: {str(error).splitlines()[0]}") from None
    kind = str(np.asarray(small.pop("format", b"csr")).astype(str))
    csr = {"data", "indices", "indptr", "shape"} <= have and kind == "csr"
    if not csr and "X" not in have:
        raise InputError(
            f"{path}: found arrays {', '.join(sorted(have))}, expected X (cells x genes) or data, "
            "indices, indptr and shape of a CSR matrix"
        )
    shape = tuple(int(n) for n in small.pop("shape")) if csr else _Member(archive, "X").shape
    genes = [str(g) for g in small.pop("genes", ())]
    if len(shape) != 2 or len(genes) != shape[1]:
        raise InputError(
            f"{path}: found {len(genes)} names in genes for a matrix of shape {shape}, expected one a "
            "column"
        )
    indptr = small.pop("indptr").astype(np.int64) if csr else None
    names = [str(n) for n in small.pop("barcodes", np.arange(shape[0]))]
    if len(names) != shape[0]:
        raise InputError(f"{path}: found {len(names)} barcodes, expected {shape[0]}")
    columns = {n: factorise(v.tolist()) for n, v in small.items() if v.shape == (shape[0],)}
    if dataset.cells:
        columns |= _annotations(Path(dataset.cells), names)

    def blocks() -> Iterator[sparse.csr_matrix]:
        if not csr:
            x, size = _Member(archive, "X"), max(1, BLOCK // max(shape[1], 1))
            for a in range(0, shape[0], size):
                rows = min(size, shape[0] - a)
                yield block(x.read(rows * shape[1]).reshape(rows, shape[1]))
            return
        data, indices = _Member(archive, "data"), _Member(archive, "indices")
        for a, b in bands(indptr):
            count = int(indptr[b] - indptr[a])
            columns = in_range(indices.read(count), shape[1])
            parts = (data.read(count), columns, indptr[a : b + 1] - indptr[a])
            yield block(sparse.csr_matrix(parts, (b - a, shape[1])))

    return _source(path, names, {"index": genes}, columns, guarded(blocks, path))


class _Member:
    """An array of an .npz, read from the front in pieces."""

    def __init__(self, archive: zipfile.ZipFile, name: str):
        self._file = archive.open(f"{name}.npy")
        version = np.lib.format.read_magic(self._file)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        self.shape, fortran, self._dtype = read(self._file)
        if fortran or self._dtype.hasobject or self._dtype.kind not in "iufb":
            raise InputError(
                f"{archive.filename}: {name}: found {self._dtype}{' in Fortran order' * fortran}, "
                "expected numbers in C order"
            )

    def read(self, count: int) -> np.ndarray:
        piece = np.frombuffer(self._file.read(count * self._dtype.itemsize), self._dtype)
        if len(piece) != count:
            raise EOFError(f"found {len(piece)} values, expected {count}")
        return piece.copy()


def _source(path, names, genes, columns, blocks) -> ExpressionSource:
    return ExpressionSource(
        str(path), len(names), genes, list(columns), columns.__getitem__, lambda a, b: names[a:b], blocks
    )


def _annotations(path: Path, names: list[str]) -> dict[str, Column]:
    """Columns of a CSV, its rows brought into the order of ``names``."""
    rows = list(_rows(path, ","))
    found = {row[0].strip(): row for row in rows[1:]}
    missing = [name for name in names if name not in found]
    if missing or len(found) < len(rows) - 1:
        raise InputError(
            f"{path}: found {len(found)} cell names in {len(rows) - 1} rows, without "
            f"{len(missing)} of {len(names)} cells of the matrix"
            f"{f', e.g. {missing[0]!r}' if missing else ''}; expected each cell once, name first"
        )
    return {
        name: factorise(found[cell][i] if i < len(found[cell]) else "" for cell in names)
        for i, name in enumerate(rows[0])
        if i > 0
    }


def _one_of(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"{folder}: found none of {', '.join(names)}")


def _open(path: Path):
    opener = gzip.open if path.suffix == ".gz" else open
    return opener(path, "rt", encoding="utf-8", newline="")


def _rows(path: Path, delimiter: str) -> Iterator[list[str]]:
    try:
        with _open(path) as file:
            yield from csv.reader(file, delimiter=delimiter)
    except (OSError, UnicodeDecodeError, EOFError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
