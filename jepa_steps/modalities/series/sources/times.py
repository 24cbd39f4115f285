"""Times of a table's rows: numbers or dates, in order, a step apart.

Shapes: n rows of the table, m of them kept.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....errors import InputError
from ..dataset import SeriesDataset
from .columns import Texts
from .dates import parse_dates, stored_dates
from .text import count, shown

if TYPE_CHECKING:
    import pandas as pd

_TOLERANCE = 0.01  # share of a step by which a difference may be off
_MOST_MISSING = (
    100  # missing steps per measured one: beyond it the step is wrong rather than rows missing
)
_UNITS = (("d", 86_400 * 10**9), ("h", 3_600 * 10**9), ("min", 60 * 10**9), ("s", 10**9), ("ms", 10**6),
          ("us", 1000), ("ns", 1))  # fmt: skip
# What the setting step takes; not m, which is a month to some and a minute to others.
_GIVEN_UNITS = {"w", "d", "day", "days", "h", "hour", "hours", "min", "s", "sec", "ms", "us", "ns"}


@dataclass(frozen=True)
class Times:
    """When each row was measured.

    values: (n,), int64 or float64 numbers, or int64 nanoseconds since 1970 of dates. zoned: in UTC.
    """

    values: np.ndarray
    dates: bool = False
    zoned: bool = False

    def text(self, row: int) -> str:
        """The time of a row as text."""
        if not self.dates:
            return f"{self.values[row]:.15g}" if self.values.dtype.kind == "f" else str(self.values[row])
        seconds = str(self.values[row].astype("datetime64[ns]")).replace("T", " ")
        return re.sub(r"\.?0+$", "", seconds) + ("+00:00" if self.zoned else "")

    def step_text(self, step: float) -> str:
        """A difference of times as text that the setting ``step`` takes."""
        if not self.dates:
            return f"{step:.9g}"
        unit, size = next((u, s) for u, s in _UNITS if step % s == 0)
        return f"{int(step) // size}{unit}"


@dataclass(frozen=True)
class Timeline:
    """Rows on an even grid.

    step: as text. ahead: int64 (m,), steps from the row before, series after series.
    """

    times: Times
    step: str
    ahead: np.ndarray

    def places(self, a: int, b: int) -> np.ndarray:
        """Time steps of the rows from a to b, which are one series: int64, from 0."""
        return np.concatenate([[0], np.cumsum(self.ahead[a + 1 : b])])


def parse_times(column: "pd.Series", place: str, notes: list[str]) -> Times:
    """Numbers or dates of a column.

    Raises:
        InputError: missing, infinite or unreadable ones, a day that could be a month, mixed time zones.
    """
    import pandas as pd

    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise InputError(f"{place}: row {missing[0] + 1}: found no time, expected one in every row")
    types = pd.api.types
    if types.is_numeric_dtype(column) and not types.is_bool_dtype(column):
        values = column.to_numpy()
        values = values.astype(np.int64 if values.dtype.kind in "iu" else np.float64)
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values))[0])
            raise InputError(f"{place}: row {row + 1}: found {values[row]}, expected a finite time")
        return Times(values)
    if types.is_datetime64_any_dtype(column):
        return Times(*stored_dates(column, place))
    # Series share their times: each text is parsed once, and known by the row where it stands first.
    codes, different = pd.factorize(column.astype(str))
    texts = pd.Series(different, index=np.unique(codes, return_index=True)[1])
    numbers = pd.to_numeric(texts, errors="coerce").notna().to_numpy()
    if numbers.mean() > 0.5:
        row = texts.index[~numbers][0]
        raise InputError(
            f"{place}: row {row + 1}: found {shown(texts[row])}, expected a number as in other rows"
        )
    values, dates, zoned = parse_dates(texts, place, notes)
    return Times(values[codes], dates, zoned)


def drop_repeated(
    times: Times, order: np.ndarray, ids: Texts, place: str, dataset: SeriesDataset, notes: list[str]
) -> np.ndarray:
    """Rows series after series, without those that repeat a time.

    Raises:
        InputError: times out of order; repeated ones, where settings say so.
    """
    same = np.diff(ids.codes[order]) == 0
    later = np.diff(times.values[order])
    if (back := same & (later < 0)).any():
        row, before = _first(back, order)
        raise InputError(
            f"{place}: row {row + 1}: found {times.text(row)} after {times.text(before)} (row "
            f"{before + 1}) in series {shown(ids[row])}, expected times in order; sort the "
            "rows by time, or name the column of series in keys.series"
        )
    repeated = same & (later == 0)
    if not repeated.any():
        return order
    row, before = _first(repeated, order)
    if dataset.on_duplicates == "fail":
        raise InputError(
            f"{place}: row {row + 1}: found {times.text(row)} again (as in row {before + 1}) in series "
            f"{shown(ids[row])}, expected each time once; name the column that tells the series apart "
            "in keys.series, or set on_duplicates: first"
        )
    number = int(repeated.sum())
    notes.append(
        f"{place}: {count(number, 'row')} left out that repeat a time, the first being row {row + 1}"
    )
    return order[np.concatenate([[True], ~repeated])]


def timeline(
    times: Times, order: np.ndarray, ids: Texts, place: str, dataset: SeriesDataset, notes: list[str]
) -> Timeline:
    """Rows on a grid of the given step, or of the commonest.

    Raises:
        InputError: a difference that is no multiple of the step; missing steps, where settings say so.
    """
    same = np.diff(ids.codes[order]) == 0
    later = np.diff(times.values[order])
    ahead = np.ones(len(order), np.int64)
    if dataset.step is None and not same.any():
        return Timeline(times, "", ahead)
    if dataset.step is None:
        step = commonest(later[same])
        notes.append(f"{place}: step: took {times.step_text(step)}, the commonest difference of times")
    else:
        step = _given_step(dataset.step, times.dates, place)
    steps = np.rint(later / step)
    off = same & ((np.abs(later - steps * step) > _TOLERANCE * step) | (steps < 1))
    words = times.step_text(step)
    if off.any():
        row, before = _first(off, order)
        raise InputError(
            f"{place}: row {row + 1}: found {times.text(row)} after {times.text(before)} (row "
            f"{before + 1}), expected a multiple of the step {words}; set step, resample, or set "
            "keys.time: none where rows are even by the calendar, such as months"
        )
    ahead[1:][same] = steps[same].astype(np.int64)
    _check_gaps(ahead, same, times, order, ids, place, words, dataset, notes)
    return Timeline(times, words, ahead)


def _check_gaps(
    ahead: np.ndarray,
    same: np.ndarray,
    times: Times,
    order: np.ndarray,
    ids: Texts,
    place: str,
    step: str,
    dataset: SeriesDataset,
    notes: list[str],
) -> None:
    gaps = same & (ahead[1:] > 1)
    if not gaps.any():
        return
    row, before = _first(gaps, order)
    missing = int((ahead[1:][gaps] - 1).sum())
    found = (
        f"{place}: row {row + 1}: found {times.text(row)} after {times.text(before)} (row {before + 1}) "
        f"in series {shown(ids[row])}, a gap with step {step}"
    )
    if dataset.on_gaps == "fail":
        raise InputError(
            f"{found}, the first of {int(gaps.sum())}; expected every step; set on_gaps: missing to put "
            "missing values there, or step to another step"
        )
    if missing > _MOST_MISSING * len(order):
        raise InputError(
            f"{found}; {missing} steps would be missing beside {len(order)} rows; set step to the true "
            "step"
        )
    notes.append(
        f"{place}: {count(missing, 'missing time step')} put in as missing values, in "
        f"{count(int(gaps.sum()), 'gap')}, the first before row {row + 1}"
    )


def commonest(differences: np.ndarray) -> float:
    """The difference that most others equal within the tolerance: the median of these.

    The smallest where several are as common.
    """
    values = np.sort(differences)
    low = np.searchsorted(values, values * (1 - _TOLERANCE), "left")
    high = np.searchsorted(values, values * (1 + _TOLERANCE), "right")
    best = int(np.argmax(high - low))
    return values[(low[best] + high[best] - 1) // 2]


def _given_step(text: str, dates: bool, place: str) -> float:
    import pandas as pd

    amount = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-z]*)\s*", text)
    try:
        if not amount or bool(amount[2]) != dates:
            raise ValueError
        if dates and amount[2].lower() not in _GIVEN_UNITS:
            raise ValueError
        step = pd.Timedelta(f"{amount[1]}{amount[2].lower()}").value if dates else float(amount[1])
        if step <= 0:
            raise ValueError
    except ValueError:
        kind = "a time such as 1h, 15min or 30s, as times are dates" if dates else (
            "a number above 0, as times are numbers")  # fmt: skip
        raise InputError(f"{place}: step: found {text!r}, expected {kind}") from None
    return step


def _first(faults: np.ndarray, order: np.ndarray) -> tuple[int, int]:
    """(row, row before it in its series) of the fault that stands first in the table."""
    at = min(np.flatnonzero(faults), key=lambda i: order[i + 1])
    return int(order[at + 1]), int(order[at])
