"""Values of .ts files that stand with their times: (time,value),(time,value)."""

import re
from datetime import datetime

import numpy as np

from ....errors import InputError
from .text import parse_values, shown

_PAIR = re.compile(r"\(([^(),]+),([^(),]+)\)")
_TOLERANCE = 0.01  # share of a step by which a time may be off


def parse_stamped(pieces: list[str], place: str) -> tuple[list[np.ndarray], str, tuple[str, str] | None]:
    """(values float32 (T,) of each channel, step, first and last time).

    Args:
        pieces: text of each channel; the brackets between two channels may be gone.
        place: file and line, for messages.

    Raises:
        InputError: no pairs of time and value, or times that are uneven or differ between channels.
    """
    channels, times, step = [], [], ""
    if not (pieces[0].startswith("(") and pieces[-1].endswith(")")):
        raise InputError(
            f"{place}: found {shown(':'.join(pieces))}, expected (time,value),(time,value), as the "
            "header says timeStamps true"
        )
    for i, piece in enumerate(pieces, 1):
        here = f"{place}: channel {i}"
        text = "(" + piece.strip().removeprefix("(").removesuffix(")") + ")"
        pairs = _PAIR.findall(text)
        if re.sub(r"\s", "", ",".join(f"({t},{v})" for t, v in pairs)) != re.sub(r"\s", "", text):
            raise InputError(f"{here}: found {shown(piece)}, expected (time,value),(time,value)")
        stamps = [t.strip() for t, _ in pairs]
        if i > 1 and stamps != times:
            raise InputError(
                f"{here}: found other times than in channel 1, expected the same; resample the channels"
            )
        times, step = stamps, step if i > 1 else _step(stamps, here)
        channels.append(parse_values([v for _, v in pairs], here))
    return channels, step, (times[0], times[-1])


def _step(stamps: list[str], place: str) -> str:
    kinds, seconds = zip(*(_time(stamp, place) for stamp in stamps), strict=True)
    if len(set(kinds)) > 1:
        at = next(i for i, kind in enumerate(kinds) if kind != kinds[0])
        raise InputError(
            f"{place}: found times {shown(stamps[0])} and {shown(stamps[at])}, expected numbers "
            "only, or dates with the same time zone throughout"
        )
    if len(seconds) < 2:
        return ""
    steps = np.diff(seconds)
    off = np.flatnonzero(np.abs(steps - steps[0]) > _TOLERANCE * abs(steps[0]))
    if steps[0] <= 0 or len(off):
        at = int(off[0]) + 1 if steps[0] > 0 else 1
        raise InputError(
            f"{place}: found time {shown(stamps[at])} after {shown(stamps[at - 1])}, expected rising "
            f"times in steps as from {shown(stamps[0])} to {shown(stamps[1])}; resample the series "
            "evenly"
        )
    return f"{steps[0]:.9g}" + ("s" if kinds[0] else "")


def _time(stamp: str, place: str) -> tuple[str, float]:
    """("" of a number, or the time zone of a date; number or seconds)."""
    if _is_number(stamp):
        return "", float(stamp)
    try:
        date = datetime.fromisoformat(stamp)
    except ValueError:
        raise InputError(
            f"{place}: found time {shown(stamp)}, expected a number or a date like 2026-01-31 12:00:00"
        ) from None
    # Only differences matter, so the zone, which is one for all, is taken off.
    return str(date.tzinfo), (date.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds()


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
