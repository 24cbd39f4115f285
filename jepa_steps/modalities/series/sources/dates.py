"""Dates of a table as nanoseconds: one format, one time zone, and no day that may be a month."""

import re
from typing import TYPE_CHECKING

import numpy as np

from ....errors import InputError
from .text import shown

if TYPE_CHECKING:
    import pandas as pd

_ZONE = re.compile(r"[T ]\d\d.*?(Z|z|UTC|GMT|[+-]\d\d(?::?\d\d)?)$")
_SAME = {"Z": "+0000", "UTC": "+0000", "GMT": "+0000", "": ""}
_ADVICE = "write dates like 2026-01-31 12:00:00"


def stored_dates(column: "pd.Series", place: str) -> tuple[np.ndarray, bool, bool]:
    """Of datetime64 (n,): as ``parse_dates``."""
    zoned = column.dt.tz is not None
    dates = column.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else column
    return _nanoseconds(dates, place), True, zoned


def parse_dates(texts: "pd.Series", place: str, notes: list[str]) -> tuple[np.ndarray, bool, bool]:
    """(int64 (n,) nanoseconds since 1970, True, whether they are in UTC rather than without a zone).

    Args:
        texts: n different ones, none missing; their index is the row where each stands first.

    Raises:
        InputError: an unreadable date, a day that could be a month, mixed time zones.
    """
    texts = texts.str.strip()
    zone = _one_zone(texts, place)
    dates = _parsed(texts, place, notes)
    dates = dates.where(dates.dt.year.between(1678, 2261))  # what nanoseconds reach
    _check(~dates.isna(), texts, place, f"expected a date as in other rows, or a number; {_ADVICE}")
    if zone not in ("", "+0000"):
        notes.append(f"{place}: times have the zone {zone}, and are given in UTC")
    return _nanoseconds(dates.dt.tz_localize(None), place), True, bool(zone)


def _check(right: "pd.Series", texts: "pd.Series", place: str, expected: str) -> None:
    if not right.all():
        row = right.index[~right][0]
        raise InputError(f"{place}: row {row + 1}: found {shown(texts[row])}, {expected}")


def _nanoseconds(dates: "pd.Series", place: str) -> np.ndarray:
    import pandas as pd

    try:
        return dates.dt.as_unit("ns").to_numpy().astype(np.int64)
    except pd.errors.OutOfBoundsDatetime as error:
        raise InputError(
            f"{place}: {str(error).splitlines()[0]}, expected dates between 1678 and 2261"
        ) from None


def _one_zone(texts: "pd.Series", place: str) -> str:
    zones = texts.map(_zone)
    first = f"{shown(texts.iloc[0])} in row 1, expected one zone; write all times in UTC"
    _check(zones == zones.iloc[0], texts, place, f"in another time zone than {first}")
    return zones.iloc[0]


def _zone(text: str) -> str:
    found = _ZONE.search(text)
    zone = found[1].upper().replace(":", "") if found else ""
    return _SAME.get(zone, zone.ljust(5, "0"))


def _parsed(texts: "pd.Series", place: str, notes: list[str]) -> "pd.Series":
    """Dates in UTC; NaT where a text is none."""
    import pandas as pd
    from pandas.tseries.api import guess_datetime_format

    first = texts.iloc[0]
    years = texts.str.contains(r"\d{4}")
    _check(years, texts, place, f"expected a number or a date with a year of four digits; {_ADVICE}")
    formats = ["ISO8601"]
    if not re.match(r"\d{4}-?\d\d", first):
        formats = list(dict.fromkeys(_guesses(first, guess_datetime_format)))
    if not formats:
        raise InputError(f"{place}: row 1: found {shown(first)}, expected a date or a number; {_ADVICE}")
    parsed = [pd.to_datetime(texts, format=f, utc=True, errors="coerce") for f in formats]
    whole = [i for i, dates in enumerate(parsed) if dates.notna().all()]
    if len(whole) > 1 and not parsed[0].equals(parsed[1]):
        raise InputError(
            f"{place}: row 1: found {shown(first)}, of which day and month cannot be told apart, "
            f"expected year, month, day; {_ADVICE}"
        )
    best = whole[0] if whole else int(np.argmin([dates.isna().sum() for dates in parsed]))
    if formats[best] != "ISO8601":
        notes.append(f"{place}: dates are read as {formats[best]}")
    return parsed[best]


def _guesses(text: str, guess) -> list[str]:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a day that is read as such although it stands first
        # Nobody writes year, day, month.
        orders = (False,) if re.match(r"\d{4}\D", text) else (False, True)
        return [found for day_first in orders if (found := guess(text, dayfirst=day_first))]
