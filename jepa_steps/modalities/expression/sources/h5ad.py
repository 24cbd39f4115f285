"""AnnData's ``.h5ad``: annotations decoded by anndata, the matrix streamed by h5py.

anndata's backed mode reads rows of CSR only, and loads all layers; here X, raw and layers are read as
CSR, CSC or dense, in the encodings of anndata 0.7 and later and in those before.
"""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from ....errors import InputError
from .features import TYPE_COLUMNS
from .source import BLOCK, Blocks, Column, ExpressionSource, bands, block, factorise, guarded, in_range
from .transpose import row_blocks


def open_h5ad(path: Path, layer: str, gene_keys: list[str], scratch: Path) -> ExpressionSource:
    """Open a file for reading.

    Args:
        gene_keys: columns of the gene table to read beside its index, where they exist.
        scratch: folder for intermediate files of a matrix stored by columns.

    Raises:
        InputError: missing extra, not an .h5ad, unknown layer, or parts that do not fit together.
    """
    file = _open(path)
    matrix, var = _matrix(file, layer, path)
    for part in ("obs", var):
        if part not in file:
            raise InputError(f"{path}: found no {part}, expected an AnnData file; has {', '.join(file)}")
    obs, genes = file["obs"], _gene_names(file, file[var], [*gene_keys, *TYPE_COLUMNS], path)
    types = [genes.pop(name) for name in TYPE_COLUMNS if name in genes and name not in gene_keys]
    shape = _shape(matrix)
    names = _names(obs)
    cells = len(names)
    if shape != (cells, len(genes["index"])):
        raise InputError(
            f"{path}: {layer} has {shape[0]} x {shape[1]} values, expected {cells} cells of obs x "
            f"{len(genes['index'])} genes of {var}; the file is damaged or was put together by hand"
        )
    return ExpressionSource(
        str(path),
        cells,
        genes,
        [name for name in _fields(obs) if name != _index(obs)],
        lambda name: _column(file, obs, name, path),
        lambda a, b: [_text(v) for v in names[a:b]],
        guarded(_blocks(matrix, shape, scratch), path),
        file.close,
        types=types[0] if types else None,
    )


def _open(path: Path):
    try:
        import anndata  # noqa: F401  decodes what is read below; missing is better said now
        import h5py
    except ModuleNotFoundError as error:
        raise InputError(
            f"source h5ad: {error.name} is not installed; pip install 'jepa-steps[expression]'"
        ) from None
    try:
        return h5py.File(path, "r", rdcc_nbytes=64 << 20)
    except OSError as error:
        raise InputError(f"{path}: not a readable .h5ad file: {str(error).splitlines()[0]}") from None


def _matrix(file, layer: str, path: Path) -> tuple[Any, str]:
    """(the stored matrix, name of its gene table)."""
    layers = list(file["layers"]) if "layers" in file else []
    found = {"X": ("X", "var"), "raw": ("raw/X", "raw/var")}
    found |= {name: (f"layers/{name}", "var") for name in layers}
    if "raw.X" in file:  # before anndata 0.7
        found["raw"] = ("raw.X", "raw.var")
    have = [name for name, (place, _) in found.items() if place in file]
    if not have and "matrix" in file:
        raise InputError(
            f"{path}: found Cell Ranger's HDF5, expected AnnData's; give its folder of matrix.mtx with "
            "source mtx, or write it with scanpy.read_10x_h5(...).write_h5ad(...)"
        )
    if layer not in have:
        near = difflib.get_close_matches(layer, have, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"has {', '.join(have) or 'none'}"
        raise InputError(f"{path}: layer: found no {layer!r}; {hint}")
    place, var = found[layer]
    return file[place], var


def _format(matrix) -> str:
    kind = matrix.attrs.get("encoding-type", matrix.attrs.get("h5sparse_format", b"dense"))
    return _text(kind).removesuffix("_matrix")


def _shape(matrix) -> tuple[int, int]:
    stored = matrix.attrs["shape"] if "shape" in matrix.attrs else matrix.attrs.get("h5sparse_shape")
    return tuple(int(n) for n in (matrix.shape if stored is None else stored))


def _blocks(matrix, shape: tuple[int, int], scratch: Path) -> Blocks:
    kind = _format(matrix)
    if kind == "csr":
        return lambda: _csr(matrix, shape)
    if kind == "csc":
        return row_blocks(lambda: _csc(matrix, shape), shape, scratch / "transpose")
    return lambda: _dense(matrix)


def _csr(matrix, shape: tuple[int, int]) -> Iterator[sparse.csr_matrix]:
    indptr = _pointers(matrix, shape[0], shape[1])
    for a, b in bands(indptr):
        part = slice(indptr[a], indptr[b])
        yield block(
            sparse.csr_matrix(
                (matrix["data"][part], _indices(matrix, part, shape[1]), indptr[a : b + 1] - indptr[a]),
                (b - a, shape[1]),
            )
        )


def _csc(matrix, shape: tuple[int, int]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    indptr = _pointers(matrix, shape[1], shape[0])
    for a, b in bands(indptr):
        part = slice(indptr[a], indptr[b])
        columns = np.repeat(np.arange(a, b), np.diff(indptr[a : b + 1]))
        yield _indices(matrix, part, shape[0]), columns, matrix["data"][part]


def _dense(matrix) -> Iterator[sparse.csr_matrix]:
    rows = max(1, BLOCK // max(matrix.shape[1], 1))
    if matrix.chunks and rows > matrix.chunks[0]:
        rows -= rows % matrix.chunks[0]  # whole chunks, so that none is decompressed twice
    for a in range(0, matrix.shape[0], rows):
        yield block(matrix[a : a + rows])


def _pointers(matrix, major: int, minor: int) -> np.ndarray:
    indptr = matrix["indptr"][:].astype(np.int64)
    stored = len(matrix["data"])
    ends = len(indptr) == major + 1 and indptr[0] == 0 and indptr[-1] == stored
    if not ends or (np.diff(indptr) < 0).any() or len(matrix["indices"]) != stored:
        raise ValueError(f"indptr does not describe {stored} values in {major} rows or columns")
    return indptr


def _indices(matrix, part: slice, minor: int) -> np.ndarray:
    return in_range(matrix["indices"][part], minor)


def _is_table(group) -> bool:
    """Whether annotations are rows of records, as before anndata 0.7."""
    return hasattr(group, "dtype")


def _fields(group) -> list[str]:
    if _is_table(group):
        return list(group.dtype.names)
    return [name for name in _columns_below(group) if name != "__categories"]


def _columns_below(group, within: str = "") -> Iterator[str]:
    """Names of what a group holds; to HDF5 a column batch/lane is a group in a group."""
    for name, stored in group.items():
        if name == "__categories" or hasattr(stored, "dtype") or "encoding-type" in stored.attrs:
            yield within + name
        else:
            yield from _columns_below(stored, f"{within}{name}/")


def _index(group) -> str:
    if _is_table(group):
        return "index" if "index" in group.dtype.names else group.dtype.names[0]
    return _text(group.attrs.get("_index", "_index"))


def _names(group) -> Any:
    """The names of a table's rows, to be sliced: read from the file piece by piece where it can be."""
    from anndata.io import read_elem

    stored = group[_index(group)]
    return stored if hasattr(stored, "dtype") else np.asarray(read_elem(stored))


def _gene_names(file, var, wanted: list[str], path: Path) -> dict[str, list[str]]:
    index = _index(var)
    found = {"index": [_text(v) for v in _names(var)[:]]}
    for name in wanted:
        if name in _fields(var) and name != index:
            column = _column(file, var, name, path)
            texts = [*column.values, ""]  # code -1, missing, reads the last
            found[name] = [texts[code] for code in column.codes]
    return found


def _column(file, group, name: str, path: Path) -> Column:
    try:
        return _read_column(file, group, name)
    except Exception as error:  # whatever h5py and anndata raise of a damaged or strange column
        text = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{path}: column {name!r}: not readable ({text}); expected texts, numbers or categories; "
            "write it again, or set its key in keys to another column or to none"
        ) from None


def _read_column(file, group, name: str) -> Column:
    from anndata.io import read_elem

    if _is_table(group):
        codes, categories = group[name], file.get(f"uns/{name}_categories")
    else:
        reference = group[name].attrs.get("categories")
        if reference is None:
            return _factorised(read_elem(group[name]))
        codes, categories = group[name][:], file[reference]
    if categories is None:
        return factorise(codes.tolist())
    return _categorical(codes, categories[:].tolist())


def _factorised(values) -> Column:
    if hasattr(values, "categories"):
        return _categorical(values.codes, values.categories.tolist())
    return factorise(values.tolist())


def _categorical(codes: np.ndarray, categories: list) -> Column:
    """Categories whose trimmed texts are equal become one."""
    texts, codes = factorise(categories), np.asarray(codes, np.int64)
    lookup = np.append(texts.codes, -1).astype(np.int32)  # code -1, missing, reads the last
    absent = {text: np.flatnonzero(np.isin(codes, rows)) for text, rows in texts.absent.items()}
    return Column(lookup[codes], texts.values, absent)


def _text(value) -> str:
    return (value.decode() if isinstance(value, bytes) else str(value)).strip()
