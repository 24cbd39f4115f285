"""Which column of a table holds what: the names that settings give, or the usual ones."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from ....errors import InputError
from ..dataset import VideoDataset

NONE = "none"  # a key that says: do without
USUAL = {
    "path": ("path", "video", "file", "filename", "video_path"),
    "label": ("label", "class", "target", "action"),
    "group": ("group", "subject", "patient", "participant", "animal", "scene", "site"),
    "split": ("split", "part", "fold"),
}


def find_keys(
    names: list[str], dataset: VideoDataset, path: Path, notes: list[str]
) -> dict[str, str | None]:
    """Column of each key, None where there is none; guesses, and what is not used, go to ``notes``.

    Raises:
        InputError: a given name that is no column, a column with two uses, or none of paths.
    """
    given = {key: getattr(dataset.keys, key) for key in USUAL}
    for field in ("targets", "nuisances"):
        for name in getattr(dataset, field):
            _check_there(name, names, f"{path}: {field}")
    for key, name in given.items():
        if name not in (None, NONE):
            _check_there(name, names, f"{path}: keys.{key}")
    taken = {*dataset.targets, *dataset.nuisances, *filter(None, given.values())}
    found = {}
    for key, name in given.items():
        name = _guessed(key, names, taken, path, notes) if name is None else name
        found[key] = None if name == NONE else name
    if given["path"] == NONE:
        raise InputError(
            f"{path}: keys.path: found none, expected the column of paths, one of {_listed(names)}"
        )
    if found["path"] is None:
        raise InputError(
            f"{path}: found no column for the path in the header {', '.join(names)[:200]}; set "
            f"keys.path to its name, or rename it ({', '.join(USUAL['path'])})"
        )
    _check_one_use(found, path)
    unused = [name for name in names if name not in {*taken, *found.values()}]
    if unused:
        notes.append(f"{path.name}: {len(unused)} further columns are not used: {_listed(unused, 5)}")
    return found


def _guessed(key: str, names: list[str], taken: set[str], path: Path, notes: list[str]) -> str | None:
    by_fold = {name.strip().casefold(): name for name in reversed(names) if name not in taken}
    fitting = [by_fold[name] for name in USUAL[key] if name in by_fold]
    if not fitting:
        return None
    others = f"; {_listed(fitting[1:])} would fit, too" if fitting[1:] else ""
    notes.append(f"{path.name}: keys.{key}: took the column {fitting[0]!r} by its name{others}")
    return fitting[0]


def _check_there(name: str, names: Sequence[str], place: str) -> None:
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {_listed(names)}"
        raise InputError(f"{place}: found no column {name!r}; {hint}")


def _check_one_use(found: dict[str, str | None], path: Path) -> None:
    names = [name for name in found.values() if name]
    for key, name in found.items():
        if name and names.count(name) > 1:
            raise InputError(
                f"{path}: keys.{key}: found {name!r}, which has another use as well; expected one use "
                "of a column"
            )


def _listed(names: Sequence[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(map(repr, names[:most])) or "(there are none)") + more
