"""Tables as pandas reads them, without what it lets pass: ragged rows, names that stand twice."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ....errors import InputError
from .text import count, csv_lines

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = {".csv": ",", ".tsv": "\t"}
MISSING = ["", "NaN", "nan", "NA", "N/A", "null", "?"]  # in columns that hold no text

Read = Callable[[set[str]], "pd.DataFrame"]


def open_frame(path: Path) -> tuple[list[str], Read]:
    """(names of the columns, what reads the table: it takes the names of those that hold text).

    Rows are numbered from 0.

    Raises:
        InputError: pandas or pyarrow missing, another kind of file, one that cannot be read, no rows,
            ragged rows, columns without a name of their own.
    """
    ending = path.name.lower().removesuffix(".gz")
    sign = next((sign for end, sign in ENDINGS.items() if ending.endswith(end)), None)
    if sign is None and not path.name.lower().endswith(".parquet"):
        raise InputError(f"{path}: expected a name in .csv, .tsv (or these with .gz) or .parquet")
    try:
        import pandas as pd  # noqa: F401  missing is better said now
    except ModuleNotFoundError:
        raise InputError("source table: pandas is not installed; pip install pandas") from None
    return _open_parquet(path) if sign is None else _open_delimited(path, sign)


def _open_parquet(path: Path) -> tuple[list[str], Read]:
    import pandas as pd

    try:
        frame = pd.read_parquet(path)
    except ImportError:
        raise InputError(
            f"{path}: .parquet takes pyarrow, which is not installed; pip install pyarrow, or write the "
            "table as .csv"
        ) from None
    except Exception as error:  # whatever pyarrow raises of a damaged file
        text = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: not a readable .parquet file: {text}") from None
    if any(frame.index.names) or pd.api.types.is_datetime64_any_dtype(frame.index):
        frame = frame.reset_index()
    frame.columns = [str(name) for name in frame.columns]
    frame.index = pd.RangeIndex(len(frame))
    names = list(frame.columns)
    _check_names(names, path)
    if not len(frame):
        raise InputError(f"{path}: found no rows below the names of the columns, expected some")
    return names, lambda text: frame


def _open_delimited(path: Path, sign: str) -> tuple[list[str], Read]:
    rows = csv_lines(path, sign)
    names = [name.strip() for name in next(rows, (0, []))[1]]
    if not names:
        raise InputError(f"{path}: found an empty file, expected names of columns and rows below them")
    if len(names) == 1 and (other := next((s for s in ";\t|," if s in names[0]), None)):
        raise InputError(f"{path}: found fields divided by {other!r}, expected {sign!r}; write it again")
    _check_names(names, path)
    total = 0
    for line, row in rows:
        total += 1
        if len(row) != len(names):
            raise InputError(
                f"{path}: line {line}: found {count(len(row), 'field')}, expected {len(names)}, one per "
                "column"
            )
    if not total:
        raise InputError(f"{path}: found no rows below the names of the columns, expected some")
    return names, lambda text: _read_delimited(path, sign, names, text, total)


def _read_delimited(path: Path, sign: str, names: list[str], text: set[str], total: int):
    import pandas as pd

    # Before pandas 3.1 decimals are read to the last bit only where it is asked for.
    exact = {} if pd.__version__ >= "3.1" else {"float_precision": "round_trip"}
    try:
        frame = pd.read_csv(
            path,
            sep=sign,
            header=0,
            names=names,
            index_col=False,
            dtype=dict.fromkeys(text, str),
            keep_default_na=False,
            na_values={name: MISSING for name in names if name not in text},
            **exact,
            skipinitialspace=True,
            low_memory=False,
            encoding="utf-8-sig",
        )
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    if len(frame) != total:
        raise InputError(
            f"{path}: found {total} rows of which pandas reads {len(frame)}; remove lines of blanks only"
        )
    return frame


def _check_names(names: list[str], path: Path) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"{path}: found {names.count(twice[0])} columns with the name {twice[0]!r}, expected one; "
            "rename them"
        )
