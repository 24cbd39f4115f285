"""Which column of a table holds what: the names that settings give, or the usual ones."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from ....errors import InputError
from ..dataset import SeriesDataset

NONE = "none"  # a key that says: do without
USUAL = {
    "series": ("series", "series_id", "id", "unit", "recording", "case"),
    "time": ("time", "timestamp", "date", "datetime", "ds", "t"),
    "label": ("label", "class", "target", "y"),
    "group": ("group", "subject", "patient", "participant", "machine", "device", "site"),
    "split": ("split", "part", "fold"),
}
WITHOUT = {
    "series": "all rows are one series",
    "time": "rows are taken as in order and evenly spaced",
}


def find_keys(
    names: list[str], dataset: SeriesDataset, path: Path, notes: list[str]
) -> dict[str, str | None]:
    """Column of each key, None where there is none; each guess goes to ``notes``.

    Raises:
        InputError: a given name that is no column, or a column with two uses.
    """
    wanted = [*dataset.targets, *dataset.nuisances]
    for name in wanted:
        field = "targets" if name in dataset.targets else "nuisances"
        _check_there(name, names, f"{path}: {field}")
    for name in dataset.keys.channels:
        _check_there(name, names, f"{path}: keys.channels")
    given = {key: getattr(dataset.keys, key) for key in USUAL}
    for key, name in given.items():
        if name not in (None, NONE):
            _check_there(name, names, f"{path}: keys.{key}")
    taken = {*wanted, *dataset.keys.channels, *filter(None, given.values())}
    found = {}
    for key, name in given.items():
        if name is None and not (key == "time" and dataset.layout == "wide"):
            name = _guessed(key, names, taken, dataset, path, notes)
        found[key] = None if name == NONE else name
    _check_one_use(found, dataset, path)
    return found


def _guessed(
    key: str, names: list[str], taken: set[str], dataset: SeriesDataset, path: Path, notes: list[str]
) -> str | None:
    by_fold = {name.casefold(): name for name in reversed(names) if name not in taken}
    fitting = [by_fold[name] for name in USUAL[key] if name in by_fold]
    if fitting:
        others = f"; {listed(fitting[1:])} would fit, too" if fitting[1:] else ""
        notes.append(f"{path.name}: keys.{key}: took the column {fitting[0]!r} by its name{others}")
        return fitting[0]
    if key in WITHOUT and dataset.layout == "long":
        notes.append(f"{path.name}: keys.{key}: found none of {', '.join(USUAL[key])}; {WITHOUT[key]}")
    return None


def _check_there(name: str, names: Sequence[str], place: str) -> None:
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {listed(names)}"
        raise InputError(f"{place}: found no column {name!r}; {hint}")


def _check_one_use(found: dict[str, str | None], dataset: SeriesDataset, path: Path) -> None:
    channels = dataset.keys.channels
    uses = [*found.items(), *(("targets", name) for name in dataset.targets)]
    uses += [("nuisances", name) for name in dataset.nuisances]
    for key, name in uses:
        if name in channels:
            raise InputError(
                f"{path}: keys.channels: found {name!r}, which is the column of {key} as well; expected "
                "one use of it"
            )
    twice = sorted({name for name in channels if channels.count(name) > 1})
    if twice:
        raise InputError(f"{path}: keys.channels: found {twice[0]!r} twice, expected each column once")


def listed(names: Sequence[str], most: int = 10) -> str:
    """The first names in quotes, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(map(repr, names[:most])) or "(there are none)") + more
