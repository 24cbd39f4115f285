"""The wordings of labels, types and doses, and what they mean."""

import re
from collections.abc import Callable, Iterator
from functools import cache

from ..dataset import TYPE_OF, ExpressionDataset
from ..sources.source import Column

UNSPECIFIED, UNKNOWN = "unspecified", "unknown"
CONTROLS = ("control", "ctrl", "non-targeting*", "nontargeting*", "non_targeting*", "nt", "negctrl*",
             "unperturbed", "dmso", "vehicle")  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9][\w.\-/ ]*")
# What may join the names of a combination, longer signs first. Names may hold one of the last ones.
_SIGNS = ("||", "__", "+", ";", ",", "_", "|")
_JOINS = (" and ", *_SIGNS, "&", ":", "/", "-")
_ANY_JOIN = re.compile("|".join(map(re.escape, _JOINS)))
_PLUS = re.compile(r"(?<![eE])\+")  # not that of 1e+1


def words(text: str) -> Iterator[str]:
    """What stands between any signs that may join names."""
    return (piece.strip() for piece in _ANY_JOIN.split(text) if piece.strip())


def alone(text: str, controls: tuple[str, ...]) -> str | None:
    """The one name in a label, beside nothing or a control; None of several, of none and of numbers,
    which stand for guides."""
    if is_control(text, controls) or len(list(words(text))) < 2:
        return text
    for sign in filter(text.__contains__, _JOINS):
        parts = [part.strip() for part in text.split(sign)]
        names = [part for part in parts if not is_control(part, controls)]
        if len(names) == 1 < len(parts) and re.search("[A-Za-z]", names[0]):
            return names[0]
    return None


def joins_nothing(text: str) -> bool:
    """Whether a label holds none of the signs that names are rarely written with."""
    return not any(sign in text for sign in _SIGNS)


def is_control(text: str, controls: tuple[str, ...]) -> bool:
    """Whether a pattern matches the text in any case; * stands for any text, no other sign does."""
    return any(_matcher(pattern).fullmatch(text.casefold()) for pattern in controls)


@cache
def _matcher(pattern: str) -> re.Pattern:
    return re.compile(".*".join(map(re.escape, pattern.casefold().strip().split("*"))), re.DOTALL)


def split_label(
    text: str,
    delimiter: str,
    known: set[str],
    stated: set[int] = frozenset(),
    any_case: set[str] = frozenset(),
) -> tuple[str, ...]:
    """Names in a label, trimmed. ``auto`` splits only where every part is ``known`` (in lower case, one
    of ``any_case``), and at + also between names of which the label's doses or types list as many
    (``stated``). A known name stays whole though it holds the delimiter, as HLA-A may."""

    def is_known(name: str) -> bool:
        return name in known or name.lower() in any_case

    if delimiter == "none" or is_known(text):
        return (text,)
    for sign in _JOINS if delimiter == "auto" else (delimiter,):
        parts = tuple(part.strip() for part in text.split(sign))
        if len(parts) < 2 or not all(parts):
            continue
        names = _rejoined(parts, sign, is_known)
        if names:
            return names
        confirmed = sign == "+" and len(parts) in stated and joins_names(text)
        if delimiter != "auto" or confirmed:
            return parts
    return (text,)


def _rejoined(
    parts: tuple[str, ...], sign: str, is_known: Callable[[str], bool]
) -> tuple[str, ...] | None:
    """The parts as known names, the longest first where a name holds the sign itself; None where they
    are not all known."""
    if not parts:
        return ()
    for n in range(len(parts), 0, -1):
        name = sign.join(parts[:n])
        if is_known(name) and (rest := _rejoined(parts[n:], sign, is_known)) is not None:
            return (name, *rest)
    return None


def joins_names(text: str) -> bool:
    """Whether a label reads as names with a plus between, which no gene is written with."""
    parts = [part.strip() for part in text.split("+")]
    return len(parts) > 1 and all(map(_NAME.fullmatch, parts))


def entries(text: str) -> int:
    """How many types or doses a text lists with a plus between; 0 where it is anything else. Other
    signs confirm nothing: a comma may be of a decimal."""
    listed = [entry.strip() for entry in _PLUS.split(text)]
    if all(entry.casefold() in TYPE_OF for entry in listed):
        return len(listed)
    try:
        return len([float(entry) for entry in listed])
    except ValueError:
        return 0


def types_of(
    column: Column | None, code: int, parts: int, dataset: ExpressionDataset
) -> list[str] | None:
    """Types of a label's parts, by the text ``code`` of the column; None where one means nothing."""
    if column is None:
        return [dataset.perturbation_type or UNSPECIFIED] * parts
    texts = of_parts(column, code, parts)
    found = [TYPE_OF.get(text.casefold()) for text in texts] if texts else [None] * parts
    if dataset.unknown_type == "unk":
        return [name or UNKNOWN for name in found]
    return None if None in found else found


def of_parts(column: Column, code: int, parts: int) -> list[str] | None:
    """One text a part; a single one holds for all. None where missing or of another number."""
    if code < 0:
        return None
    texts = [t.strip() for t in re.split(rf"{_PLUS.pattern}|[;,|_&]", column.values[code])]
    return texts * parts if len(texts) == 1 else texts if len(texts) == parts else None
