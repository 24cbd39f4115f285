"""Reading and writing results other than arrays: atomic, checked.

Part of the code digest of every step.
"""

import csv
import gzip
import hashlib
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from .errors import InputError


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A temporary folder beside ``out``; what it holds moves into ``out`` only when all is written. An
    ``out`` that was not there before is not there after an error either."""
    new = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(out)
    temporary = out.parent / f".{out.name}.{socket.gethostname()}.{os.getpid()}.partial"
    temporary.mkdir()
    try:
        yield temporary
        for file in sorted(temporary.iterdir()):
            if file.is_dir():
                shutil.rmtree(out / file.name, ignore_errors=True)
            else:
                file.chmod(0o644)  # safetensors writes for the owner only; results are shared
            os.replace(file, out / file.name)
    except BaseException:
        if new:
            with suppress(OSError):  # where something stands in it by now, it stays
                out.rmdir()
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _remove_leftovers(out: Path) -> None:
    """Drop the temporary folders of processes of this machine that were killed."""
    for leftover in out.parent.glob(f".{out.name}.{socket.gethostname()}.*.partial"):
        process = leftover.name.removesuffix(".partial").rpartition(".")[2]
        if process.isdigit() and not Path(f"/proc/{process}").exists() and Path("/proc/self").exists():
            shutil.rmtree(leftover, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Indented JSON; non-finite numbers are refused rather than written as invalid JSON."""
    path.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Comma-separated UTF-8 with one header row and line feeds on every platform."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def read_json(path: Path, *keys: str) -> Any:
    """JSON of a file; with ``keys`` an object that has these.

    Raises:
        InputError: missing file, invalid JSON, or a key that it lacks.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run the step that writes it first") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not valid JSON: {error}") from None
    lacking = [key for key in keys if not isinstance(found, dict) or key not in found]
    if lacking:
        raise InputError(
            f"{path}: found no {lacking[0]!r}, as of another version; run the step that writes it again"
        )
    return found


def open_text(path: Path) -> TextIO:
    """A UTF-8 text file, compressed where its name ends in .gz."""
    opener = gzip.open if path.suffix == ".gz" else open
    return opener(path, "rt", encoding="utf-8", newline="")


def csv_rows(path: Path, delimiter: str = ",") -> Iterator[list[str]]:
    """Rows of a delimited text file, without empty ones.

    Raises:
        InputError: a file that is missing or cannot be read.
    """
    try:
        with open_text(path) as file:
            yield from filter(None, csv.reader(file, delimiter=delimiter))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run the step that writes it first") from None
    except (OSError, UnicodeDecodeError, EOFError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None


def read_table(path: Path, *required: str, only: bool = False) -> dict[str, list[str]]:
    """Columns of a .csv with one header row, as text by name.

    Args:
        required: columns that it must have; only: leave out all others.

    Raises:
        InputError: a file that is missing or cannot be read, lacks one of these columns, or has a row of
            another length.
    """
    rows = csv_rows(path)
    header = next(rows, [])
    if lacking := [name for name in required if name not in header]:
        raise InputError(
            f"{path}: found the columns {', '.join(header) or '(none)'}, without {lacking[0]!r}; "
            f"expected {', '.join(required)}"
        )
    wanted = [(header.index(name), []) for name in (required if only else header)]
    shared: dict[str, str] = {}  # one object per distinct text: a million rows take little memory
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise InputError(
                f"{path}: line {number}: found {len(row)} values, expected {len(header)}, one per column"
            )
        for place, column in wanted:
            column.append(shared.setdefault(row[place], row[place]))
    return {header[place]: column for place, column in wanted}


def read_numbers(path: Path) -> dict[str, list[float]]:
    """The same of a table of numbers; a table without rows has empty columns.

    Raises:
        InputError: as ``read_table``, or text in place of a number.
    """
    try:
        return {name: [float(text) for text in column] for name, column in read_table(path).items()}
    except ValueError as error:
        raise InputError(
            f"{path}: {error}, expected numbers; run the step that writes it again"
        ) from None


def sha256(path: Path) -> str:
    """Hex digest of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def atomic_write(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a temporary file in the same folder, flush it to disk, rename it into place."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
