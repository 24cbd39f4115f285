"""Expression out of an ``.npz``, in row blocks."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import sparse

from ....errors import InputError
from ..dataset import ExpressionDataset
from .annotations import in_memory, read_annotations
from .source import BLOCK, ExpressionSource, bands, block, factorise, guarded, in_range


def open_npz(path: Path, dataset: ExpressionDataset) -> ExpressionSource:
    """Arrays of an .npz; the matrix is read from the archive piece by piece."""
    archive, small, csr = _npz_arrays(path)
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
        columns |= read_annotations(Path(dataset.cells), names)

    def blocks() -> Iterator[sparse.csr_matrix]:
        """The matrix in row blocks of bounded size, in order."""
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

    return in_memory(path, names, {"index": genes}, columns, guarded(blocks, path))


def _npz_arrays(path: Path) -> tuple[zipfile.ZipFile, dict[str, np.ndarray], bool]:
    """(the archive, its arrays but the matrix, whether that is CSR rather than dense)."""
    try:
        archive = zipfile.ZipFile(path)
        with np.load(path, allow_pickle=False) as arrays:
            small = {n: arrays[n] for n in arrays.files if n not in ("X", "data", "indices")}
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
    return archive, small, csr


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
