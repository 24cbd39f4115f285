"""Files of numbers with a row per sample: .npy, .npz, .parquet, and obsm of .h5ad. No pickle is read.

Shapes: n samples, D dimensions.
"""

from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ....data.tables import Table, frame_table, listed, open_parquet, parquet_table, text_of
from ....errors import InputError
from ....files import csv_rows

_ENDINGS = (".npy", ".npz", ".parquet", ".h5ad")
_ARRAYS = ("embeddings", "X")
_NAMES = ("names", "ids", "id", "name", "index", "file", "barcode", "obs_names", "__index_level_0__")


@dataclass(frozen=True)
class Rows:
    """Numbers of n samples.

    place: file, and what in it, for messages. values: (n, ...) as stored. names: of the samples, where
    the file has any. table: what the file itself says of samples. notes: what was chosen.
    """

    place: str
    values: np.ndarray
    names: list[str] | None = None
    table: Table | None = None
    notes: list[str] = field(default_factory=list)


def open_rows(path: Path, key: str | None, axes: str, taken: Container[str] = ()) -> Rows:
    """Read a file of numbers.

    Args:
        key: which array of several; null = the usual or the only one.
        axes: what axes are expected, for messages: "samples, dimensions".
        taken: columns of a .parquet that have another use.

    Raises:
        InputError: missing, another kind of file, a pickle, damage, no numbers, or another shape.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected numbers ({axes})")
    ending = path.suffix.lower()
    if ending not in _ENDINGS:
        raise InputError(f"{path}: expected a name that ends in {', '.join(_ENDINGS)}")
    if ending == ".npy":
        if key is not None:
            raise InputError(f"{path}: key: found {key!r}, expected none: an .npy holds one array")
        found = Rows(str(path), _load(path), _names_beside(path))
    elif ending == ".npz":
        found = _of_npz(path, key)
    elif ending == ".parquet":
        found = _of_parquet(path, key, taken)
    else:
        found = _of_h5ad(path, key)
    _check_shape(found, axes)
    return found


def _check_shape(found: Rows, axes: str) -> None:
    x = found.values
    if x.dtype.kind not in "biuf":
        raise InputError(f"{found.place}: found values of type {x.dtype}, expected numbers ({axes})")
    fits = x.ndim >= 2 if "..." in axes else x.ndim in {len(a.split(", ")) for a in axes.split(" or ")}
    if not fits:
        raise InputError(f"{found.place}: found shape {x.shape}, expected ({axes})")
    if 0 in x.shape:
        raise InputError(f"{found.place}: found shape {x.shape}: it is empty, expected ({axes})")
    if found.names is not None and len(found.names) != len(x):
        raise InputError(f"{found.place}: found {len(found.names)} names for {len(x)} rows")


def _load(path: Path) -> Any:
    """An .npy mapped into memory, or an .npz.

    Raises:
        InputError: a pickle, or damage.
    """
    try:
        return np.load(
            path, mmap_mode="r" if path.suffix.lower() == ".npy" else None, allow_pickle=False
        )
    except Exception as error:  # a damaged file raises what its decoder raises
        raise _unreadable(str(path), error) from None


def _unreadable(place: str, error: Exception) -> InputError:
    text = (str(error).splitlines() or [type(error).__name__])[0]
    if "ickle" in text or "bject" in text:
        return InputError(
            f"{place}: found Python objects (a pickle), expected an array of numbers; write it with "
            "astype('float32')"
        )
    return InputError(f"{place}: not a readable array file: {text}; write it again with numpy")


def _names_beside(path: Path) -> list[str] | None:
    """Of an .npy the names in a .csv of one column "file" beside it, as the step embed writes them."""
    beside = path.with_suffix(".csv")
    if not beside.is_file():
        return None
    rows = csv_rows(beside)
    if next(rows, []) != ["file"]:
        return None
    return [row[0] for row in rows]


def _of_npz(path: Path, key: str | None) -> Rows:
    file = _load(path)
    if isinstance(file, np.ndarray):
        raise InputError(f"{path}: found an .npy file under the name .npz; rename it")
    with file:
        usual = [name for name in _ARRAYS if name in file.files]
        others = [name for name in file.files if name not in _NAMES]
        chosen = key or (usual[0] if usual else others[0] if len(others) == 1 else None)
        if chosen not in file.files:
            asked = f"found no array {key!r}" if key else "found several arrays"
            raise InputError(
                f"{path}: {asked}, has {listed(file.files)}; set key to the one of the embeddings"
            )
        place = f"{path}: array {chosen!r}"
        values = _array_of(file, chosen, place)
        of = next((name for name in _NAMES if name in file.files and name != chosen), None)
        names = None if of is None else _array_of(file, of, f"{path}: array {of!r}")
    notes = [f"embeddings: array {chosen!r} of {listed(file.files)}"] if len(file.files) > 1 else []
    if names is not None:
        notes.append(f"names of the embeddings: array {of!r}")
        names = [text_of(name) for name in np.atleast_1d(names).reshape(-1).tolist()]
    return Rows(place, values, names, notes=notes)


def _array_of(file: Any, name: str, place: str) -> np.ndarray:
    try:
        return file[name]
    except Exception as error:  # as in _load
        raise _unreadable(place, error) from None


def _of_parquet(path: Path, key: str | None, taken: Container[str]) -> Rows:
    """A column of lists, or all columns of numbers that have no other use."""
    import pyarrow as pa

    frame = open_parquet(path)
    types = {name: frame.schema.field(name).type for name in frame.column_names}
    lists = [name for name, kind in types.items() if pa.types.is_nested(kind)]
    if key is not None and key not in lists:
        raise InputError(f"{path}: key: found no column of lists {key!r}, has {listed(lists)}")
    if len(lists) > 1 and key is None:
        raise InputError(f"{path}: found several columns of lists {listed(lists)}; set key to one")
    flat = [name for name in types if name not in lists and name not in taken and name not in _NAMES]
    numbers = [n for n in flat if pa.types.is_integer(types[n]) or pa.types.is_floating(types[n])]
    numbers = _numbered(numbers) or numbers
    of = next((n for n in _NAMES if n in types), None)
    names = None if of is None else [text_of(v) for v in frame.column(of).to_pylist()]
    if lists:
        name = key or lists[0]
        place, values = f"{path}: column {name!r}", _stacked(frame.column(name), path, name)
        note = f"embeddings: column {name!r}"
    else:
        if not numbers:
            raise InputError(f"{path}: found no column of numbers among {listed(types)}, expected some")
        place = str(path)
        values = np.column_stack([_floats(frame.column(name)) for name in numbers])
        note = f"embeddings: {len(numbers)} columns of numbers: {listed(numbers, 4)}"
        if rest := [name for name in types if name not in numbers]:
            note += f"; not taken: {listed(rest)}"
    notes = [note] + ([f"names of the embeddings: column {of!r}"] if of else [])
    return Rows(place, values, names, parquet_table(path), notes)


def _numbered(names: list[str]) -> list[str]:
    """The names of one beginning that are counted (dim_0, dim_1), where most are: beside them stands
    what is known of samples, such as an age, and is none of the embedding. Else []."""
    found: dict[str, list[str]] = {}
    for name in names:
        if name.rstrip("0123456789") != name:
            found.setdefault(name.rstrip("0123456789"), []).append(name)
    most = max(found.values(), key=len, default=[])
    return most if len(most) > len(names) / 2 else []


def _floats(column: Any) -> np.ndarray:
    return np.asarray(column.to_pandas(), dtype=np.float64)  # missing values as NaN, refused later


def _stacked(column: Any, path: Path, name: str) -> np.ndarray:
    rows = column.to_pylist()
    lengths = {len(row) if row is not None else 0 for row in rows}
    if len(lengths) > 1:
        raise InputError(
            f"{path}: column {name!r}: found lists of {min(lengths)} to {max(lengths)} values, expected "
            "equal lengths"
        )
    try:
        return np.array(rows, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{path}: column {name!r}: found lists of other than numbers") from None


def _of_h5ad(path: Path, key: str | None) -> Rows:
    """An entry of obsm, with obs as the table."""
    try:
        import h5py
        from anndata.io import read_elem
    except ModuleNotFoundError as error:
        raise InputError(
            f"{path}: .h5ad takes {error.name}, which is missing; pip install 'jepa-steps[vectors]'"
        ) from None
    try:
        with h5py.File(path, "r") as file:
            entries = list(file["obsm"]) if "obsm" in file else []
            chosen = key or (entries[0] if len(entries) == 1 else None)
            if chosen not in entries:
                asked = f"found no {key!r}" if key else f"found {len(entries)} entries"
                raise InputError(f"{path}: obsm: {asked}, has {listed(entries)}; set key to one of them")
            values, obs = read_elem(file[f"obsm/{chosen}"]), read_elem(file["obs"])
    except InputError:
        raise
    except Exception as error:  # whatever HDF5 and anndata raise of a damaged file
        text = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: not a readable .h5ad file: {text}") from None
    if hasattr(values, "toarray"):
        values = values.toarray()
    table = frame_table(path, obs)
    note = f"embeddings: obsm {chosen!r} of {listed(entries)}"
    return Rows(
        f"{path}: obsm {chosen!r}", np.asarray(values), list(table.columns[table.index]), table, [note]
    )
