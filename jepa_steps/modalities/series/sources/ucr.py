"""Text files of the UCR archive: a series per row, its label first."""

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from ....errors import InputError
from .pairs import find_files
from .source import Series, SeriesSource
from .text import count, label_text, parse_values, shown, text_lines, trimmed

ENDINGS = (".tsv", ".csv", ".txt")


def open_ucr(path: Path) -> SeriesSource:
    """One file, or a folder with one pair NAME_TRAIN and NAME_TEST of .tsv, .csv or .txt.

    Raises:
        InputError: not one file or pair; iterating raises what is wrong in a row.
    """
    notes: list[str] = []
    files = find_files(path, ENDINGS, notes)
    series = chain.from_iterable(_read_file(file, given, notes) for file, given in files)
    return SeriesSource(path, series, notes=notes)


def _read_file(file: Path, given: int, notes: list[str]) -> Iterator[Series]:
    divide, width, first, shorter, total, unlabelled = None, 0, 0, 0, 0, 0
    for number, line in text_lines(file):
        if not line.strip():
            continue
        place = f"{file}: line {number}"
        divide = divide or _divider(line)
        label, *texts = re.split(divide, line.strip() if divide == r"\s+" else line.rstrip("\r\n"))
        width, first = width or len(texts), first or number
        _check(label, texts, width, first, place)
        values = parse_values(texts, place)
        kept = trimmed(values)
        name, total = label_text(label), total + 1
        shorter += len(kept) < len(values)
        unlabelled += not name
        yield Series(f"{file.name}:{number}", kept[:, np.newaxis], name, given=given)
    if not total:
        raise InputError(f"{file}: found no rows, expected a series in each, its label first")
    if shorter:
        notes.append(
            f"{file.name}: missing values at the end of {shorter} of {count(total, 'series', 'series')} "
            "are read as the end of a shorter series"
        )
    if unlabelled:
        notes.append(f"{file.name}: {unlabelled} of {count(total, 'series', 'series')} without a label")


def _divider(line: str) -> str:
    """What stands between the values of a file, by its first line, as a regular expression."""
    return next((sign for sign in "\t," if sign in line), r"\s+")


def _check(label: str, texts: list[str], width: int, first: int, place: str) -> None:
    if not texts:
        raise InputError(
            f"{place}: found one field, {shown(label)}, expected a label and values divided by tabs, "
            "commas or spaces"
        )
    if len(texts) != width:
        raise InputError(
            f"{place}: found {count(len(texts), 'value')}, expected {width} as in line {first}; write "
            "NaN at the end of a shorter series"
        )
