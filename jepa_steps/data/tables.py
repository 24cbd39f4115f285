"""Tables of what each sample is: columns of texts, "" = unknown."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..files import csv_rows

_SIGNS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
_UNKNOWN = {"", "nan", "na", "n/a", "null", "?"}  # in lower case


@dataclass(frozen=True)
class Table:
    """Columns of n texts by name. path: where they are from. index: column of row names, if marked."""

    path: str
    columns: dict[str, list[str]]
    index: str | None = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def column(self, name: str, field: str) -> list[str]:
        """The texts of a column; ``field`` is the setting that asks for it.

        Raises:
            InputError: there is no such column.
        """
        if name not in self.columns:
            raise InputError(
                f"{self.path}: {field}: found no column {name!r}, expected one of {listed(self.columns)}"
            )
        return self.columns[name]


def listed(names: Any, most: int = 12) -> str:
    """Names in quotes, the first of many."""
    names = list(names)
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(name) for name in names[:most]) + rest or "(none)"


def count(n: int, one: str, several: str) -> str:
    """A number with what is counted: 1 row has, 2 rows have."""
    return f"{n:,} {one if n == 1 else several}"


def text_of(value: Any) -> str:
    """A value of any type as text; "" of what is missing, and 7 of 7.0, as which tools write whole
    numbers beside missing ones."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    text = "" if value is None else str(value).strip()
    return "" if text.lower() in _UNKNOWN else text


def open_table(path: Path) -> Table:
    """A .csv or .tsv (also .gz), or a .parquet.

    Raises:
        InputError: missing, another kind of file, damaged, without rows, ragged, or with two columns of
            one name.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected a table with a row per sample")
    ending = Path(path.name.lower().removesuffix(".gz")).suffix
    if ending == ".parquet":
        return parquet_table(path)
    if ending not in _SIGNS:
        raise InputError(f"{path}: expected a table named .csv, .tsv (or these with .gz) or .parquet")
    rows = csv_rows(path, _SIGNS[ending])
    header = [name.strip().removeprefix("\ufeff") for name in next(rows, [])]
    if len(header) == 1 and (sign := next((s for s in ";\t|," if s in header[0]), None)):
        raise InputError(
            f"{path}: found fields divided by {sign!r}, expected {_SIGNS[ending]!r}; write it again"
        )
    columns: list[list[str]] = [[] for _ in header]
    known: dict[str, str] = {}  # one object per distinct text
    for line, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise InputError(
                f"{path}: line {line}: found {len(row)} fields, expected {len(header)}, one per column"
            )
        for column, text in zip(columns, row, strict=True):
            column.append(known.setdefault(text, text_of(text)))
    return _checked(path, header, columns)


def parquet_table(path: Path) -> Table:
    """The columns of a .parquet that hold one value a row.

    Raises:
        InputError: pyarrow missing, or a file that cannot be read.
    """
    frame = open_parquet(path)
    flat = [n for n in frame.column_names if not _nested(frame.schema.field(n).type)]
    columns = [[text_of(v) for v in frame.column(name).to_pylist()] for name in flat]
    return _checked(path, flat, columns)


def open_parquet(path: Path) -> Any:
    """The pyarrow table of a file.

    Raises:
        InputError: pyarrow missing, or a file that cannot be read.
    """
    try:
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise InputError(
            f"{path}: .parquet takes pyarrow, which is missing; pip install pyarrow"
        ) from None
    try:
        return pq.read_table(path)
    except Exception as error:  # whatever pyarrow raises of a damaged file
        text = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: not a readable .parquet file: {text}") from None


def _nested(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_nested(kind)


def frame_table(path: Path, frame: Any) -> Table:
    """A table from a data frame, such as obs, whose index names the rows."""
    names = [str(name) for name in frame.columns]
    columns = [[text_of(v) for v in frame.iloc[:, i].tolist()] for i in range(len(names))]
    index = "index" if "index" not in names else "row names"
    return _checked(path, [index, *names], [[str(v) for v in frame.index], *columns], index)


def _checked(path: Path, names: list[str], columns: list[list[str]], index: str | None = None) -> Table:
    if not names:
        raise InputError(f"{path}: found an empty table, expected names of columns and rows below them")
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(
            f"{path}: found {names.count(twice[0])} columns with the name {twice[0]!r}, expected one; "
            "rename them"
        )
    if not columns[0]:
        raise InputError(f"{path}: found no rows below the names of the columns, expected some")
    return Table(str(path), dict(zip(names, columns, strict=True)), index)
