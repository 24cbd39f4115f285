"""Doses as people write them: numbers, with a unit or without, one for each part of a combination."""

import math
import re
from collections import Counter
from decimal import Decimal
from typing import NamedTuple

from ....errors import InputError
from ..sources.source import Column
from .label_text import of_parts

_DOSE = re.compile(r"(\+?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-zµμ%][\w/^%.µμ-]*)?")
_UNIT = re.compile(r"([fpnum]?)(m|mol|mol/l|g|g/l|g/ml|g/kg|l|iu/ml|u/ml)")
_EXPONENT = {"": 0, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15}


class Dose(NamedTuple):
    """A positive amount; unit as written, "" without one."""

    amount: Decimal
    unit: str


def doses_of(column: Column | None, code: int, parts: int) -> list[Dose] | None:
    """Doses of a label's parts, by the text ``code`` of the column; None where one means nothing."""
    if column is None:
        return [Dose(Decimal(1), "")] * parts
    matches = [_DOSE.fullmatch(text) for text in of_parts(column, code, parts) or [""]]
    if None in matches:
        return None
    doses = [Dose(Decimal(match[1]), match[2] or "") for match in matches]
    if doses[-1].unit and not any(dose.unit for dose in doses[:-1]):
        doses = [dose._replace(unit=doses[-1].unit) for dose in doses]  # 1+2 uM
    return doses if all(0 < float(dose.amount) < math.inf for dose in doses) else None


def in_one_unit(
    doses: list[Dose | None], cells: list[int], where: str
) -> tuple[list[float], str | None]:
    """Doses as numbers in the unit that most cells have, and what to say about others that were
    converted to it. ``cells``: how many have each dose.

    Raises:
        InputError: units that do not convert into one another, or doses with and without one.
    """
    units = Counter()
    for dose, count in zip(doses, cells, strict=True):
        units[dose.unit] += count
    base = max(units, key=lambda unit: (units[unit], unit), default="")
    if len(units) < 2:
        return [float(dose.amount) for dose in doses], None
    listed = ", ".join(f"{unit or 'none'} ({n} cells)" for unit, n in units.most_common())
    kinds = {unit: _kind(unit) for unit in units}
    if None in kinds.values() or len({kind for kind, _ in kinds.values()}) > 1:
        raise InputError(
            f"{where}: found doses in several units that do not convert: {listed}; expected one unit, "
            "or units of one kind as nM and uM; write the doses in one unit, or set keys.dose: none"
        )
    shift = {unit: kinds[unit][1] - kinds[base][1] for unit in units}
    return (
        [float(dose.amount.scaleb(shift[dose.unit])) for dose in doses],
        f"in {base}, converted from units {listed}",
    )


def _kind(unit: str) -> tuple[str, int] | None:
    """(what a unit measures, its power of ten); None of an unknown one."""
    match = _UNIT.fullmatch(unit.casefold().replace("µ", "u").replace("μ", "u"))
    if match is None:
        return None
    of = {"mol/l": "m"}.get(match[2], match[2])
    return ("g/l", _EXPONENT[match[1]] + 3) if of == "g/ml" else (of, _EXPONENT[match[1]])
