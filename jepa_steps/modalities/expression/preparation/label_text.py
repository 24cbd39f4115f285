"""The wordings of labels, types and doses, and what they mean."""

import math
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from ..dataset import ExpressionDataset
from ..sources.source import Column

UNSPECIFIED, UNKNOWN = "unspecified", "unknown"
CONTROLS = ("control", "ctrl", "non-targeting*", "nontargeting*", "non_targeting*", "nt", "negctrl*",
             "unperturbed", "dmso", "vehicle")  # fmt: skip
TYPES = {
    "knockdown": ("knockdown", "knock-down", "kd", "crispri", "sirna", "shrna"),
    "knockout": ("knockout", "knock-out", "ko", "crispr", "crisprko", "crispr-ko", "crispr-cas9"),
    "overexpression": ("overexpression", "oe", "activation", "crispra", "orf"),
    "compound": ("compound", "drug", "chemical", "small molecule"),
}
_TYPE_OF = {text: name for name, texts in TYPES.items() for text in texts}
_NAME = re.compile(r"[A-Za-z0-9][\w.\-/ ]*")
_JOINS = "+;,_|"
_PLUS = re.compile(r"(?<![eE])\+")  # not that of 1e+1


def words(text: str) -> Iterator[str]:
    """What stands between any signs that may join names."""
    return (piece.strip() for piece in re.split(f"[{re.escape(_JOINS)}]", text) if piece.strip())


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


def is_control(text: str, controls: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text.casefold(), pattern.casefold().strip()) for pattern in controls)


def split_label(
    text: str, delimiter: str, known: set[str], stated: set[int] = frozenset()
) -> tuple[str, ...]:
    """Names in a label, trimmed. ``auto`` splits only where every part is ``known``, and at + also
    between names of which the label's doses or types list as many (``stated``)."""
    if delimiter == "none" or (delimiter == "auto" and text in known):
        return (text,)
    for sign in _JOINS if delimiter == "auto" else delimiter:
        parts = tuple(part.strip() for part in text.split(sign))
        if len(parts) > 1 and all(parts):
            confirmed = sign == "+" and len(parts) in stated and joins_names(text)
            if delimiter != "auto" or confirmed or all(part in known for part in parts):
                return parts
    return (text,)


def joins_names(text: str) -> bool:
    """Whether a label reads as names with a plus between, which no gene is written with."""
    parts = [part.strip() for part in text.split("+")]
    return len(parts) > 1 and all(map(_NAME.fullmatch, parts))


def entries(text: str) -> int:
    """How many types or doses a text lists with a plus between; 0 where it is anything else. Other
    signs confirm nothing: a comma may be of a decimal."""
    listed = [entry.strip() for entry in _PLUS.split(text)]
    if all(entry.casefold() in _TYPE_OF for entry in listed):
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
    texts = _shared(column, code, parts)
    found = [_TYPE_OF.get(text.casefold()) for text in texts] if texts else [None] * parts
    if dataset.unknown_type == "unk":
        return [name or UNKNOWN for name in found]
    return None if None in found else found


def doses_of(column: Column | None, code: int, parts: int) -> list[float] | None:
    if column is None:
        return [1.0] * parts
    try:
        doses = [float(text) for text in _shared(column, code, parts) or [""]]
    except ValueError:
        return None
    return doses if all(0 < dose < math.inf for dose in doses) else None


def _shared(column: Column, code: int, parts: int) -> list[str] | None:
    """One text a part; a single one holds for all. None where missing or of another number."""
    if code < 0:
        return None
    texts = [t.strip() for t in re.split(rf"{_PLUS.pattern}|[;,|_]", column.values[code])]
    return texts * parts if len(texts) == 1 else texts if len(texts) == parts else None
