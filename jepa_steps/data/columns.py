"""Columns of a table as targets, labels and parts.

Shapes: k samples.
"""

from collections.abc import Sequence

import numpy as np

from ..config.base import Target
from ..errors import InputError
from .folders import PARTS
from .labels import by_number, is_number
from .oddities import extreme_note, nearly_equal, repeated_extreme
from .tables import Table, listed, text_of
from .targets import Kind, kind_of

_PARTS = {**PARTS, "": -1}
_BY_MISTAKE = 0.2  # texts per number, up to which a column of numbers has them by mistake


def read_column(
    table: Table, name: str, field: str, wanted: Target, rows: Sequence[int], flag: str = ""
) -> tuple[list[str], Kind, str]:
    """(texts of these rows, "" = unknown; what they are; a sentence that says so).

    Args:
        field: the setting that asks for the column. wanted: its kind, or auto. flag: of a command line,
            how the option is called that says the kind, with {} for it.

    Raises:
        InputError: no such column, or one that ``check_column`` refuses.
    """
    whole, place = table.column(name, field), f"{table.path}: {field}: column {name!r}"
    texts = [whole[row] for row in rows]
    return texts, *take_column(texts, name, field, wanted, place, rows, flag)


def take_column(
    texts: list[str],
    name: str,
    field: str,
    wanted: Target,
    place: str,
    rows: Sequence[int] | None = None,
    flag: str = "",
) -> tuple[Kind, str]:
    """(what the texts are, a sentence that says so).

    Args:
        place: where texts are, for messages. rows: their rows in the file, from 0; None = all.

    Raises:
        InputError: a text where numbers are expected, or among numbers where nothing says what to
            expect; nothing or one value; a text per sample.
    """
    kind = kind_of(texts) if wanted == "auto" else wanted
    rows = range(len(texts)) if rows is None else rows
    if wanted == "auto" and kind == "classes":
        _refuse_mixed(texts, name, field, place, rows)
    _check(texts, kind, field, place, rows)
    return kind, _described(name, texts, kind, field, wanted == "auto", flag)


def _refuse_mixed(texts: list[str], name: str, field: str, place: str, rows: Sequence[int]) -> None:
    """A few texts among numbers would turn an age into dozens of classes."""
    others = [(row, text) for row, text in zip(rows, texts, strict=True) if text and not is_number(text)]
    numbers = [text for text in texts if text and is_number(text)]
    if others and len(others) <= _BY_MISTAKE * len(numbers) and kind_of(numbers) == "numbers":
        row, text = others[0]
        raise InputError(
            f"{place}: row {row + 1}: found {text!r} among {len(numbers)} numbers ({len(others)} in "
            f"all); leave it empty if it is unknown, or set {field}: {{{name}: classes}}"
        )


def _check(texts: list[str], kind: Kind, field: str, place: str, rows: Sequence[int]) -> None:
    """Whether there is something to tell apart, and numbers are numbers."""
    for row, text in zip(rows, texts, strict=True):
        if kind == "numbers" and text and not is_number(text):
            raise InputError(
                f"{place}: row {row + 1}: found {text!r}, expected a finite number; set classes, or "
                "leave the value empty"
            )
    known = [text for text in texts if text]
    different = len(set(known))
    if different < 2 and field != "nuisances":
        found = f"one value, {known[0]!r}, in" if known else "no value in"
        raise InputError(f"{place}: found {found} {len(texts)} rows, expected at least 2 to tell apart")
    if kind_of(texts) == "classes" and len(known) >= 10 and different > len(known) / 2:
        raise InputError(
            f"{place}: found {different} different texts in {len(known)} rows, expected classes of "
            "several samples each; name another column"
        )


def _described(name: str, texts: list[str], kind: Kind, field: str, guessed: bool, flag: str) -> str:
    """What a column was taken for, of how many samples it is unknown, and how to say otherwise."""
    unknown = sum(not text for text in texts)
    lacking = f", unknown of {unknown}" if unknown else ""
    whole = all(is_number(text) and float(text).is_integer() for text in texts if text)
    hint = ""
    if guessed and whole:
        other, what = ("classes", "names") if kind == "numbers" else ("numbers", "amounts")
        hint = f"; set {other}{flag.format(other)} if these are {what}"
    told = "" if field != "nuisances" else ", which embeddings should not encode"
    known = sorted(set(texts) - {""})
    span, odd = _oddities([text for text in texts if text], known, kind)
    return f"{name}: {kind}, {len(known)} different{span}{lacking}{told}{hint}{odd}"


def _oddities(texts: list[str], different: list[str], kind: Kind) -> tuple[str, str]:
    """(range of numbers, what looks wrong), each "" where there is nothing to say."""
    if kind == "numbers" and texts:
        numbers = np.array([float(text) for text in texts])
        odd = repeated_extreme(numbers)
        span = f", {numbers.min():g} to {numbers.max():g}"
        return span, f"; {extreme_note('CHECK', odd)}" if odd else ""
    alike = [" and ".join(map(repr, some)) for some in nearly_equal(different)]
    more = f" and {len(alike) - 3} more" if len(alike) > 3 else ""
    said = f"; CHECK: {', '.join(alike[:3])}{more} differ only in case or spaces"
    return "", said if alike and kind == "classes" else ""


def class_codes(texts: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """(int64 (k,) places in the classes, -1 = unknown; classes, by number where they are numbers)."""
    classes = sorted({text for text in texts if text}, key=by_number)
    code = {name: i for i, name in enumerate(classes)}
    return np.array([code.get(text, -1) for text in texts], np.int64), classes


def part_codes(table: Table, name: str, rows: Sequence[int]) -> np.ndarray:
    """Given parts int64 (k,), -1 = to be drawn.

    Raises:
        InputError: no such column, or texts that name no part.
    """
    whole = table.column(name, "split_column")
    texts = [whole[row].lower() for row in rows]
    if strange := sorted(set(texts) - _PARTS.keys()):
        raise InputError(
            f"{table.path}: split_column: column {name!r}: found {listed(strange, 4)}, expected train, "
            "val and test"
        )
    return np.array([_PARTS[text] for text in texts], np.int64)


def array_texts(arrays: dict[str, np.ndarray], name: str, n: int, what: str, path: str) -> list[str]:
    """An array of an .npz with one value per sample, in the order train, val, test, as texts.

    Raises:
        InputError: no such array, or another length or type.
    """
    if name not in arrays:
        raise InputError(
            f"{path}: targets and nuisances: found no array {name!r}, expected one of {listed(arrays)}"
        )
    values = arrays[name]
    if values.size != n or values.dtype.kind not in "biufUS":
        raise InputError(
            f"{path}: array {name!r}: found {values.size} of type {values.dtype}, expected {n} "
            f"numbers or texts, one per {what} (train, then val, then test)"
        )
    return [text_of(value) for value in values.reshape(-1).tolist()]
