"""Sets that come in the package sktime, found without importing it, which takes its dependencies."""

import difflib
from pathlib import Path

from ....data.installed import installed
from ....errors import InputError
from .source import SeriesSource
from .ts import read_ts

INSTALL = "pip install --no-deps sktime==1.2.0"
_FOLDER = "sktime/datasets/data"


def open_packaged(name: str) -> SeriesSource:
    """The pair NAME_TRAIN.ts and NAME_TEST.ts of a packaged set; parts are given.

    Raises:
        InputError: sktime is not installed, or has no such set.
    """
    folder = located()
    names = available(folder)
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(
            f"source sktime: name: found no set {name!r} in {folder}; {hint}expected one of "
            f"{', '.join(names) or '(there are none)'}"
        )
    files = [(folder / name / f"{name}_TRAIN.ts", 0), (folder / name / f"{name}_TEST.ts", 2)]
    return read_ts(folder / name, files, [])


def available(folder: Path) -> list[str]:
    """Names of the sets below a folder that have both files, sorted."""
    return sorted(
        entry.name
        for entry in folder.iterdir()
        if all((entry / f"{entry.name}_{part}.ts").is_file() for part in ("TRAIN", "TEST"))
    )


def located() -> Path:
    """The folder of the sets.

    Raises:
        InputError: sktime is not installed.
    """
    return installed("sktime", _FOLDER, "source sktime", INSTALL)
