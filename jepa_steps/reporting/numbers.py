"""Numbers as a reader wants them: few digits, units, an en dash where there is none."""

from typing import Any

NONE = "–"


def number(value: Any, form: str = ".3g") -> str:
    """``value`` in Python's format ``form`` with a true minus."""
    return NONE if value is None else format(value, form).replace("-", "−")


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a number of per cent, without the sign."""
    return NONE if value is None else f"{100 * value:.{digits}f}"


def between(low: float | None, high: float | None, form: str = ".1f", times: float = 1) -> str:
    """An interval in words; says so where there is none."""
    if low is None or high is None:
        return "no interval"
    return f"{number(times * low, form)} to {number(times * high, form)}"


def scaled(value: float | None, unit: str = "") -> str:
    """Three digits and a prefix of thousands: 12.3 M."""
    if value is None:
        return NONE
    for prefix in ("", "k", "M", "G", "T", "P", "E"):
        if abs(value) < 999.5 or prefix == "E":
            break
        value /= 1000
    return f"{value:.3g} {prefix}{unit}".strip()


def size(value: float | None) -> str:
    """Bytes in MiB or GiB."""
    if value is None:
        return NONE
    return f"{value / 2**30:.1f} GiB" if value >= 2**30 else f"{value / 2**20:.0f} MiB"


def duration(seconds: float | None) -> str:
    """Seconds as the two largest units."""
    if seconds is None:
        return NONE
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    return f"{minutes // 60} h {minutes % 60} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def hours(value: float | None) -> str:
    """Hours, with enough digits for short runs."""
    return (
        NONE if value is None else f"{value:.2f} h" if value >= 0.995 or value == 0 else f"{value:.3f} h"
    )


def date(stamp: str | None) -> str:
    """An ISO time in UTC as date and minute."""
    return NONE if stamp is None else f"{stamp[:10]} {stamp[11:16]} UTC"
