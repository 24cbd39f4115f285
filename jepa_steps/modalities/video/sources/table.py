"""Tables of paths and labels: with a header, or as V-JEPA has them, a path and a number per line."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from ....errors import InputError
from ..dataset import VideoDataset
from .keys import USUAL, find_keys
from .parts import part_code
from .source import Video, VideoSource

Rows = list[tuple[int, list[str]]]  # (line, fields)
_FILE = re.compile(r"\.[A-Za-z]\w{1,4}$")  # how the name of a file ends, and hardly that of a column


def open_table(path: Path, dataset: VideoDataset) -> VideoSource:
    """A .csv (of commas or semicolons), .tsv or space-separated file; paths are relative to its folder.

    Raises:
        InputError: no such columns, rows of another length, paths that are not there or stand twice, or
        empty groups; the message names the line.
    """
    notes: list[str] = []
    rows = _read(path, notes)
    if not rows:
        raise InputError(f"{path}: found no rows, expected a path and a label per line")
    if not _is_header(rows[0][1], path, dataset):
        _check_no_header(path, rows, dataset)
        notes.append(f"{path.name}: found no header; read as a path and a label per line")
        return VideoSource(path, list(_videos(path, rows, {"path": 0, "label": 1}, {})), notes)
    header = rows[0][1]
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise InputError(f"{path}: line 1: found column {twice[0]!r} twice, expected each name once")
    place = {name: i for i, name in enumerate(header)}
    keys = find_keys(header, dataset, path, notes)
    columns = {key: place[name] for key, name in keys.items() if name}
    further = {name: place[name] for name in (*dataset.targets, *dataset.nuisances)}
    _check_lengths(path, rows, len(header))
    _check_groups(path, rows[1:], keys["group"], place)
    videos = list(_videos(path, rows[1:], columns, further))
    return VideoSource(path, videos, notes, f"of column {keys['group']!r}" if keys["group"] else "")


def _read(path: Path, notes: list[str]) -> Rows:
    """Lines that are not empty, by the delimiter that the name or the first line tells."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = next(filter(str.strip, file), "")
            delimiter = _delimiter(first, path)
            file.seek(0)
            reader = csv.reader(
                file, delimiter=delimiter, skipinitialspace=delimiter == " ", strict=True
            )
            rows = [(reader.line_num, _trimmed(row, delimiter)) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error).splitlines()[0]
        raise InputError(f"{path}: cannot be read as a table: {reason}; save it as UTF-8 text") from None
    if delimiter == ";":
        notes.append(f"{path.name}: took ';' for what divides fields")
    return [(line, row) for line, row in rows if any(row)]


def _delimiter(first: str, path: Path) -> str:
    """What divides the fields of the first line; a semicolon may also be part of a path."""
    if "\t" in first:
        return "\t"
    if first.count(";") > first.count(",") and not _is_there(path, first.split()[0].strip('"')):
        return ";"
    return "," if "," in first else " "


def _is_there(path: Path, name: str) -> bool:
    try:
        return bool(name) and (path.parent / name).exists()
    except OSError:  # longer than a name may be
        return False


def _trimmed(row: list[str], delimiter: str) -> list[str]:
    """Fields; of a line of spaces without the empty ones at its end."""
    while delimiter == " " and row and not row[-1]:
        row = row[:-1]
    return [field.strip() for field in row]


def _is_header(first: list[str], path: Path, dataset: VideoDataset) -> bool:
    """Whether it names a column of paths, or neither a file nor a number."""
    names = {name.casefold() for name in first}
    if names & set(USUAL["path"]) or dataset.keys.path in first:
        return True
    return not any(_FILE.search(name) or _is_number(name) or _is_there(path, name) for name in first)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_no_header(path: Path, rows: Rows, dataset: VideoDataset) -> None:
    line, first = rows[0]
    named = next((key for key in USUAL if getattr(dataset.keys, key) not in (None, "none")), None)
    asked = next(iter({**dataset.targets, **dataset.nuisances}), None)
    if named or asked:
        setting = f"keys.{named}" if named else f"targets or nuisances {asked!r}"
        raise InputError(
            f"{path}: line {line}: found {' '.join(first)[:80]!r}, which is no header, with {setting}; "
            f"expected names of columns, with one of {', '.join(USUAL['path'])} or keys.path among them"
        )
    for line, row in rows:
        if len(row) != 2:
            raise InputError(
                f"{path}: line {line}: found {len(row)} fields, expected a path and a label; put a path "
                "with spaces into double quotes, or name the columns in a header"
            )


def _check_groups(path: Path, rows: Rows, name: str | None, place: dict[str, int]) -> None:
    """Every video has a group where any has: one without would count as a group of its own."""
    for line, row in rows if name else ():
        if not row[place[name]]:
            raise InputError(
                f"{path}: line {line}: found no group in column {name!r}, expected one for every video; "
                "fill it in, or set keys.group: none to do without groups"
            )


def _check_lengths(path: Path, rows: Rows, columns: int) -> None:
    for line, row in rows:
        if len(row) != columns:
            raise InputError(
                f"{path}: line {line}: found {len(row)} values, expected {columns}, one per column"
            )


def _videos(path: Path, rows: Rows, columns: dict[str, int], further: dict[str, int]) -> Iterator[Video]:
    seen: dict[Path, int] = {}
    for line, row in rows:
        name, place = row[columns["path"]], f"{path}: line {line}"
        file = path.parent / name
        if not name or not file.is_file():
            found = "no path" if not name else f"a folder, {file}" if file.is_dir() else f"{name!r}"
            expected = "expected a video file"
            if found == f"{name!r}":
                expected = f"which is not there: {file}; paths are relative to the table's folder"
            raise InputError(f"{place}: found {found}, {expected}")
        earlier = seen.setdefault(file.resolve(), line)
        if earlier != line:
            raise InputError(
                f"{place}: found {name!r} again, as in line {earlier}, expected each video once"
            )
        told = {key: row[i] for key, i in columns.items()}
        given = part_code(told.get("split", ""), place)
        label, group = told.get("label", ""), told.get("group", "")
        yield Video(name, file, None, label, group, given, {key: row[i] for key, i in further.items()})
