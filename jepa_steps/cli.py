"""What the command lines of all steps share: arguments, one-line errors, all-or-nothing output."""

import argparse
import csv
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import HopelessRun, InputError


def parser(doc: str) -> argparse.ArgumentParser:
    """An argument parser that shows a module's docstring as it is written."""
    return argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)


def add_spec(p: argparse.ArgumentParser, block: str) -> None:
    """The ``--spec`` option: a step's settings as JSON text or as a YAML/JSON file."""
    p.add_argument(
        "--spec",
        default="{}",
        metavar="JSON|FILE",
        help=f"settings of the {block!r} block of config.yaml, as JSON text or a YAML file",
    )


def read_spec(text: str) -> tuple[Any, str]:
    """Plain settings and the name under which errors mention them.

    Raises:
        InputError: neither JSON text nor a readable file.
    """
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text), "--spec"
        except json.JSONDecodeError as error:
            raise InputError(f"--spec: not valid JSON: {error}") from None
    from .config import read_yaml

    return read_yaml(Path(text)), text


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A temporary folder beside ``out``; its files move into ``out`` only when all are written."""
    out.mkdir(parents=True, exist_ok=True)
    temporary = out.parent / f".{out.name}.{os.getpid()}.partial"
    temporary.mkdir()
    try:
        yield temporary
        for file in sorted(temporary.iterdir()):
            file.chmod(0o644)  # safetensors writes for the owner only; results are shared
            os.replace(file, out / file.name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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


def run(main: Callable[[], None]) -> None:
    """Run a step; bad input ends with one line on stderr and exit code 2, a hopeless run with 76."""
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except HopelessRun as reason:
        print(f"stopped: {reason}", file=sys.stderr)
        sys.exit(76)
    except BrokenPipeError:
        sys.exit(1)
