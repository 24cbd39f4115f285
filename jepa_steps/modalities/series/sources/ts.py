"""The .ts format of aeon and sktime: @ lines, then a series per line, channels divided by ':'.

Files are read line by line. What a header says of lengths, channels and missing values is compared with
the data and never relied on.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np

from ....errors import InputError
from .pairs import find_files
from .source import Series, SeriesSource
from .stamps import parse_stamped
from .text import count, label_text, parse_values, shown, text_lines

_FLAGS = ("timestamps", "missing", "univariate", "equallength", "classlabel", "targetlabel")
_NUMBERS = ("dimensions", "dimension", "serieslength")
_TEXTS = ("problemname", "data")


@dataclass
class Header:
    """What the lines before @data say.

    claims: of fields that are compared with the data; classes: names, empty where none are listed.
    """

    claims: dict[str, bool | int] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)

    @property
    def labelled(self) -> bool:
        """Whether the last field of a line is a label."""
        return bool(self.claims.get("classlabel") or self.claims.get("targetlabel"))


@dataclass
class Found:
    """What the lines after @data have."""

    series: int = 0
    missing: int = 0
    unlabelled: int = 0
    lengths: set[int] = field(default_factory=set)
    unlisted: Counter[str] = field(default_factory=Counter)


@dataclass
class _Shared:
    """What all series of a set have in common, and the line that first had it."""

    channels: int = 0
    step: str | None = None
    place: str = ""


def open_ts(path: Path) -> SeriesSource:
    """One file, or a folder with one pair NAME_TRAIN.ts and NAME_TEST.ts.

    Raises:
        InputError: not one file or pair, or damage in the first series; iterating raises the rest.
    """
    notes: list[str] = []
    return read_ts(path, find_files(path, (".ts",), notes), notes)


def read_ts(path: Path, files: list[tuple[Path, int]], notes: list[str]) -> SeriesSource:
    """The series of (file, given part) one after the other; as ``open_ts``."""
    shared = _Shared()
    series = chain.from_iterable(_read_file(file, given, shared, notes) for file, given in files)
    first = next(series)  # a file without series raises: the step is known from the first one
    return SeriesSource(path, chain([first], series), step=shared.step or "", notes=notes)


def _read_file(file: Path, given: int, shared: _Shared, notes: list[str]) -> Iterator[Series]:
    lines = ((n, line.strip()) for n, line in text_lines(file))
    lines = ((n, line) for n, line in lines if line and line[0] not in "#%")
    header, found = _read_header(lines, file, notes), Found()
    for number, line in lines:
        place = f"{file}: line {number}"
        label, values, times = _parse(line, header, shared, place)
        found.series += 1
        found.lengths.add(len(values))
        found.missing += int(np.isnan(values).sum())
        found.unlabelled += header.labelled and not label
        if header.classes and label and label not in header.classes:
            found.unlisted[label] += 1
        yield Series(f"{file.name}:{number}", values, label, given=given, times=times)
    if not found.series:
        raise InputError(f"{file}: found no series after @data, expected one per line")
    notes += [f"{file.name}: {note}" for note in contradictions(header, found, shared.channels)]


def _read_header(lines: Iterator[tuple[int, str]], file: Path, notes: list[str]) -> Header:
    header = Header()
    for number, line in lines:
        place = f"{file}: line {number}"
        if not line.startswith("@"):
            raise InputError(
                f"{place}: found {shown(line)} before @data, expected lines that start with @"
            )
        name, *values = line[1:].split() or [""]
        key = name.casefold()
        if key == "data":
            return _checked(header, f"{file}: line {number}")
        if key in _FLAGS:
            header.claims[key] = _flag(values, name, place)
        elif key in _NUMBERS:
            header.claims[key.replace("dimensions", "dimension")] = _whole(values, name, place)
        elif key not in _TEXTS:
            notes.append(f"{file.name}: line {number}: @{name} is not known and has no effect")
        if key == "classlabel":
            header.classes = [label_text(value) for value in values[1:]]
    raise InputError(f"{file}: found no line @data, expected one before the series; is it a .ts file?")


def _checked(header: Header, place: str) -> Header:
    kinds = [kind for kind in ("classlabel", "targetlabel") if kind in header.claims]
    if not kinds:
        raise InputError(
            f"{place}: found neither @classLabel nor @targetLabel before @data, expected one: without "
            "it the last field may be a label or a channel; add '@classLabel false' if there are no "
            "labels"
        )
    if header.claims.get("classlabel") and header.claims.get("targetlabel"):
        raise InputError(f"{place}: found @classLabel true and @targetLabel true, expected one of them")
    return header


def _flag(values: list[str], name: str, place: str) -> bool:
    text = values[0].casefold() if values else ""
    if text not in ("true", "false"):
        raise InputError(f"{place}: @{name}: found {shown(text)}, expected true or false")
    return text == "true"


def _whole(values: list[str], name: str, place: str) -> int:
    if len(values) != 1 or not values[0].isdecimal():
        raise InputError(f"{place}: @{name}: found {shown(' '.join(values))}, expected a whole number")
    return int(values[0])


def _parse(
    line: str, header: Header, shared: _Shared, place: str
) -> tuple[str, np.ndarray, tuple[str, str] | None]:
    """(label, values float32 (T, C), first and last time) of a line."""
    line, label = _labelled(line, header, place) if header.labelled else (line, "")
    times = None
    if header.claims.get("timestamps"):
        pieces = re.split(r"\)\s*:\s*\(", line)
        channels, step, times = parse_stamped(pieces, place)
        if shared.step not in (None, "", step) and step:
            raise InputError(
                f"{place}: found time stamps with step {step}, expected {shared.step} as in "
                f"{shared.place}; resample the series to one step"
            )
        shared.step = shared.step or step
    else:
        channels = [parse_values(text.split(","), f"{place}: channel {i}")
                    for i, text in enumerate(line.split(":"), 1)]  # fmt: skip
    lengths = [len(channel) for channel in channels]
    if len(set(lengths)) > 1:
        other = next(i for i, n in enumerate(lengths) if n != lengths[0])
        raise InputError(
            f"{place}: found {lengths[0]} time steps in channel 1 and {lengths[other]} in channel "
            f"{other + 1}, expected equal; fill the shorter one with ? where it was not measured"
        )
    if shared.channels not in (0, len(channels)):
        raise InputError(
            f"{place}: found {count(len(channels), 'channel')}, expected {shared.channels} as in "
            f"{shared.place}; is a ':' missing, or a line cut off?"
        )
    if not shared.channels:
        shared.channels, shared.place = len(channels), place
    return label, np.stack(channels, 1), times


def _labelled(line: str, header: Header, place: str) -> tuple[str, str]:
    """(channels, label): what comes before and after the last ':'."""
    channels, colon, text = line.rpartition(":")
    if not colon:
        raise InputError(f"{place}: found no ':', expected values, then ':' and a label; is it cut off?")
    label = label_text(text)
    if label and header.claims.get("targetlabel"):
        parse_values([label], f"{place}: target")
    return channels, label


def contradictions(header: Header, found: Found, channels: int) -> list[str]:
    """Where header and data differ, as notes."""
    low, high = min(found.lengths), max(found.lengths)
    lengths = f"lengths {low} to {high}" if low < high else f"length {low} throughout"
    facts = {
        "equallength": (low == high, lengths),
        "serieslength": (low if low == high else 0, lengths),
        "missing": (found.missing > 0, count(found.missing, "missing value")),
        "univariate": (channels == 1, count(channels, "channel")),
        "dimension": (channels, count(channels, "channel")),
    }
    wrong: dict[str, list[str]] = {}
    for name, (fact, words) in facts.items():
        if name in header.claims and header.claims[name] != fact:
            wrong.setdefault(words, []).append(f"{_WORDS[name]} {str(header.claims[name]).lower()}")
    said = [f"header says {' and '.join(claims)}, found {words}" for words, claims in wrong.items()]
    notes = ["; ".join(said)] if said else []
    if found.unlisted:
        names = ", ".join(map(shown, list(found.unlisted)[:5]))
        total = found.unlisted.total()
        notes.append(f"{count(total, 'label')} of {found.series} not listed by @classLabel: {names}")
    if found.unlabelled:
        notes.append(f"{found.unlabelled} of {count(found.series, 'series', 'series')} without a label")
    return notes


_WORDS = {"equallength": "equalLength", "serieslength": "seriesLength", "missing": "missing",
          "univariate": "univariate", "dimension": "dimensions"}  # fmt: skip
