"""Given parts, told by a text per video."""

from ....data.folders import PARTS
from ....errors import InputError


def part_code(text: str, place: str) -> int:
    """0 train, 1 val, 2 test, -1 for an empty text.

    Raises:
        InputError: another text; ``place`` says where it stands.
    """
    if not text:
        return -1
    if text.lower() not in PARTS:
        raise InputError(f"{place}: found {text!r}, expected train, val or test, or nothing")
    return PARTS[text.lower()]
