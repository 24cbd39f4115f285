"""What the command lines of all steps share: arguments and one-line errors."""

import argparse
import errno
import json
import sys
from collections.abc import Callable
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
    except OSError as error:
        if error.errno not in _OF_THE_DISK:
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror}; make room, or write elsewhere", file=sys.stderr)
        sys.exit(2)


# Faults of the disk or of its permissions: no bug, and nothing that a traceback explains.
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
