"""What all formats share: lines of text, numbers as float32, labels, and names of parts."""

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ....errors import InputError
from ....files import open_text

PARTS = {"train": 0, "val": 1, "validation": 1, "valid": 1, "test": 2}
_WHOLE = re.compile(r"[+-]?\d+(\.0*|(\.\d*)?[eE][+-]?\d\d?)")  # 1.0, and 1.0000000e+00 of UCR files
_UNKNOWN = {"", "?", "nan"}
_NO_VALUE = {"None", "NaT", "<NA>"}  # what pandas puts where nothing is; as a text each may be a class


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(line number from 1, line) of a UTF-8 file, compressed where its name ends in .gz.

    Raises:
        InputError: a file that cannot be read, is no UTF-8 or holds NUL bytes.
    """
    try:
        with open_text(path) as file:
            for number, line in enumerate(file, 1):
                if "\0" in line:
                    raise InputError(
                        f"{path}: line {number}: found a NUL byte, expected text; the file is binary or "
                        "damaged"
                    )
                yield number, line.removeprefix("\ufeff") if number == 1 else line
    except UnicodeDecodeError:
        raise InputError(f"{path}: {_not_utf8(path)}, expected text; save the file as UTF-8") from None
    except (OSError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None


def _not_utf8(path: Path) -> str:
    """Line and byte of what is not UTF-8: text is decoded in blocks, whose error knows no line."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return f"line {number}: found byte 0x{line[error.start]:02x}, which is not UTF-8"
    return "found bytes at the end that are not UTF-8"


def csv_lines(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(number of its last line, fields) of each row of a delimited file; rows without text are left out.

    Raises:
        InputError: as ``text_lines``, or quotes that do not end.
    """
    rows = csv.reader(
        (line for _, line in text_lines(path)), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    try:
        for row in rows:
            if row:
                yield rows.line_num, row
    except csv.Error as error:
        raise InputError(
            f"{path}: line {rows.line_num}: {error}; expected fields divided by {delimiter!r}"
        ) from None


def parse_values(texts: Sequence[str], place: str) -> np.ndarray:
    """Numbers as float32 (n,); NaN and ? are missing.

    Args:
        place: file and line, for messages.

    Raises:
        InputError: text, an infinite number, or one beyond float32.
    """
    try:
        values = np.array([float(text) for text in texts], np.float64)
        plain = "_" not in "".join(texts)  # Python takes 1_000 for a number; a file means something else
    except ValueError:
        plain = False
    if not plain:
        values = np.array([_number(text, i, place) for i, text in enumerate(texts, 1)], np.float64)
    return as_float32(values, lambda at: f"{place}: value {at[0] + 1}")


def _number(text: str, position: int, place: str) -> float:
    if text.strip() == "?":
        return np.nan
    try:
        if "_" not in text:
            return float(text)
    except ValueError:
        pass
    raise InputError(
        f"{place}: value {position}: found {shown(text)}, expected a number, or NaN or ? where it is "
        "missing"
    )


def as_float32(values: np.ndarray, where: Callable[[tuple[int, ...]], str]) -> np.ndarray:
    """Numbers of any shape and type as float32.

    Args:
        where: names the place of a value by its indices, for messages.

    Raises:
        InputError: an infinite number, or one beyond float32.
    """
    with np.errstate(over="ignore"):
        found = np.asarray(values).astype(np.float32)
    if np.isinf(found).any():
        at = tuple(int(i) for i in np.argwhere(np.isinf(found))[0])
        big = f"{values[at]:g}" if np.isfinite(values[at]) else "an infinite value"
        raise InputError(
            f"{where(at)}: found {big}, expected finite numbers up to 3.4e38 in size (float32); write "
            "NaN where a value is missing"
        )
    return found


def label_text(value: object) -> str:
    """A label of any type as text: whole numbers without a point, "" where it is unknown."""
    text = value.decode() if isinstance(value, bytes) else str(value)
    text = " ".join(text.split())
    if text.casefold() in _UNKNOWN or (text in ("None", "NaT", "<NA>") and not isinstance(value, str)):
        return ""
    return str(int(float(text))) if _WHOLE.fullmatch(text) and float(text).is_integer() else text


def part_code(text: str, place: str, remedy: str) -> int:
    """Code of the part that a text names; -1 where it is empty.

    Args:
        place, remedy: for messages: where it stands, and how to do without parts.

    Raises:
        InputError: a text that names none.
    """
    if not text:
        return -1
    if text.casefold() not in PARTS:
        raise InputError(
            f"{place}: found split {shown(text)}, expected {', '.join(PARTS)}; rename it, or "
            f"{remedy} to divide the series anew"
        )
    return PARTS[text.casefold()]


def trimmed(values: np.ndarray) -> np.ndarray:
    """Values (T,) up to the last that is there; all of them where none is."""
    there = np.flatnonzero(~np.isnan(values))
    return values[: there[-1] + 1] if len(there) else values


def shown(text: object, most: int = 40) -> str:
    """A text in quotes, cut to what fits a message."""
    text = str(text)
    return repr(text if len(text) <= most else text[:most] + "…")


def count(number: int, what: str, several: str = "") -> str:
    """A count with its noun: 1 value, 2 values."""
    return f"{number} {what if number == 1 else several or what + 's'}"
