"""Columns of a table as channels of float32, or as texts by code.

Shapes: n rows. Rows in messages are counted from 1, below the names of the columns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ....errors import InputError
from ..dataset import SeriesDataset
from .keys import listed
from .text import as_float32, label_text, shown

if TYPE_CHECKING:
    import pandas as pd

_MOSTLY = 0.5  # share of numbers from which text in a column is a fault, and not its kind


@dataclass(frozen=True)
class Texts:
    """A column of texts: int64 (n,) places in texts, where equal texts stand once."""

    codes: np.ndarray
    texts: list[str]

    def __getitem__(self, row: int) -> str:
        return self.texts[self.codes[row]]


def as_texts(column: "pd.Series", place: str, text: Callable[[Any], str] = label_text) -> Texts:
    """Values of any type as texts; "" = unknown.

    Raises:
        InputError: bytes that are not UTF-8.
    """
    import pandas as pd

    codes, values = pd.factorize(column, use_na_sentinel=True)
    code_of: dict[str, int] = {}
    try:
        # One more for code -1, missing, which reads the last.
        lookup = [code_of.setdefault(t, len(code_of)) for t in [*map(text, values), ""]]
    except UnicodeDecodeError:
        raise InputError(f"{place}: found bytes that are not UTF-8, expected text") from None
    return Texts(np.array(lookup, np.int64)[codes], list(code_of))


def id_text(value: Any) -> str:
    """The name of a series; 7.0, as which pandas reads 7 beside missing ones, is 7."""
    whole = isinstance(value, float | np.floating) and float(value).is_integer()
    return " ".join(str(int(value) if whole else value).split())


def pick_channels(
    frame: "pd.DataFrame", used: set[str], dataset: SeriesDataset, path: Path, notes: list[str]
) -> list[str]:
    """Names of the columns of values: those that settings give, or all of numbers without another use.

    Raises:
        InputError: none, a text between numbers, or a given column without any value.
    """
    if dataset.keys.channels:
        for name in dataset.keys.channels:
            if dataset.layout == "long" and frame[name].isna().all():
                raise InputError(f"{path}: column {name!r}: found no value in it, expected numbers")
        unused = [n for n in frame.columns if n not in used and n not in dataset.keys.channels]
        if unused:
            notes.append(f"{path.name}: left out: {listed(unused)}, neither a channel nor a key")
        return list(dataset.keys.channels)
    channels, left_out = [], {}
    for name in frame.columns:
        if name not in used:
            reason = _no_channel(frame[name], name, dataset.layout == "wide")
            if reason:
                left_out.setdefault(reason, []).append(name)
            else:
                channels.append(name)
    notes += [f"{path.name}: left out: {listed(names)}, {why}" for why, names in left_out.items()]
    if not channels:
        raise InputError(
            f"{path}: found no column of numbers without another use among "
            f"{listed(list(frame.columns))}, expected at least one to be a channel; name them in "
            "keys.channels"
        )
    return channels


def _no_channel(column: "pd.Series", name: str, step: bool) -> str:
    """Why a column is no channel, or no time step, or nothing."""
    import pandas as pd

    if column.isna().all():
        return "" if step else "without any value"  # leaving out a step would shift those after it
    if name in ("", "Unnamed: 0", "index") and pd.api.types.is_integer_dtype(column):
        if (column.to_numpy() == np.arange(len(column))).all():
            return "a count of the rows"
    elif not _has_numbers(column):
        return "not of numbers"
    return ""


def _has_numbers(column: "pd.Series") -> bool:
    import pandas as pd

    types = pd.api.types
    if types.is_bool_dtype(column):
        return True
    if types.is_numeric_dtype(column):
        return not types.is_complex_dtype(column)
    if types.is_datetime64_any_dtype(column) or types.is_timedelta64_dtype(column):
        return False
    numbers = pd.to_numeric(column.astype(object), errors="coerce").notna().sum()
    return numbers > _MOSTLY * column.notna().sum()


def channel_matrix(frame: "pd.DataFrame", channels: list[str], path: Path) -> np.ndarray:
    """Columns as float32 (n, columns); they are taken out of the frame, so that memory is not doubled.

    Raises:
        InputError: text, an infinite number, or one beyond float32.
    """
    matrix = np.empty((len(frame), len(channels)), np.float32)
    for i, name in enumerate(channels):
        values = _as_numbers(frame.pop(name), f"{path}: column {name!r}")
        matrix[:, i] = as_float32(
            values, lambda at, name=name: f"{path}: column {name!r}: row {at[0] + 1}"
        )
    return matrix


def _as_numbers(column: "pd.Series", place: str) -> np.ndarray:
    import pandas as pd

    types = pd.api.types
    if types.is_bool_dtype(column) or (
        types.is_numeric_dtype(column) and not types.is_complex_dtype(column)
    ):
        return column.to_numpy(np.float64, na_value=np.nan)
    # Dates would become nanoseconds, and are no values: they are compared as text.
    texts = column.astype(str).where(column.notna())
    numbers = pd.to_numeric(texts, errors="coerce")
    bad = np.flatnonzero(texts.notna() & numbers.isna())
    if len(bad):
        raise InputError(
            f"{place}: row {bad[0] + 1}: found {shown(texts.iloc[bad[0]])}, expected a number; correct "
            "it, leave it empty where it is missing, or name the columns of values in keys.channels"
        )
    return numbers.to_numpy(np.float64)


def check_constant(
    texts: Texts, order: np.ndarray, same: np.ndarray, ids: Texts, place: str, remedy: str
) -> None:
    """Refuse a column that changes within a series.

    Args:
        order: rows, series after series; same: bool (n - 1,), whether a row is of the series of the one
            before it; ids: name of the series of each row; place: file and column, for messages; remedy:
            what to do if the column says nothing of a series.

    Raises:
        InputError: names the series and the two values.
    """
    codes = texts.codes[order]
    changed = np.flatnonzero(same & (codes[1:] != codes[:-1]))
    if len(changed):
        row, next_row = order[changed[0]], order[changed[0] + 1]
        raise InputError(
            f"{place}: series {shown(ids[row])}: found {shown(texts[row])} and {shown(texts[next_row])} "
            f"(row {next_row + 1}), expected one value per series; {remedy} if "
            "it says nothing of a whole series"
        )
