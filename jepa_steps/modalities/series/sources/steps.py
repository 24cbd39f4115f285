"""Names of the columns of a wide table, where they tell the order of the time steps."""

import re
from itertools import pairwise
from pathlib import Path

from ....errors import InputError
from .keys import listed

_NUMBER = re.compile(r"()(-?\d+(?:\.\d+)?)")
_NUMBERED = re.compile(r"(.*[^\d.])(\d+(?:\.\d+)?)")  # t1, step-1
_DATE = re.compile(r"\d{4}-\d\d.*")


def check_steps(names: list[str], path: Path, notes: list[str]) -> None:
    """Columns that are dates or numbered must rise, with no other column of numbers among them.

    Args:
        names: of the columns of numbers, in order.
        notes: gets names that are not evenly spaced.

    Raises:
        InputError: a name out of order, or one of another kind.
    """
    if all(map(_DATE.fullmatch, names)):
        _check_rising(names, names, path)
        return
    matches = {name: _NUMBER.fullmatch(name) or _NUMBERED.fullmatch(name) for name in names}
    stems = [match[1] for match in matches.values() if match]
    stem = max(stems, key=stems.count, default="")
    if stems.count(stem) < max(2, len(names) / 2):
        return
    others = [name for name, match in matches.items() if not match or match[1] != stem]
    if others:
        example = next(name for name in names if name not in others)
        raise InputError(
            f"{path}: found the columns of numbers {listed(others)} beside time steps such as "
            f"{example!r}; name them in keys, targets or nuisances, or the steps in keys.channels"
        )
    values = [float(match[2]) for match in matches.values()]
    _check_rising(names, values, path)
    spaces = {round(b - a, 9) for a, b in pairwise(values)}
    if len(spaces) > 1:
        notes.append(
            f"{path.name}: names of time steps are {min(spaces):g} to {max(spaces):g} apart; the steps "
            "are taken as even"
        )


def _check_rising(names: list[str], values: list, path: Path) -> None:
    fall = next((i for i in range(1, len(values)) if values[i] <= values[i - 1]), None)
    if fall is not None:
        raise InputError(
            f"{path}: found the column {names[fall]!r} after {names[fall - 1]!r}, expected time steps "
            "in rising order; put the columns in order, or list them in keys.channels"
        )
