"""Which channels figures show as red, green and blue; what of it the report says."""

from typing import Any

from ...errors import InputError


def number(name: int | str, names: list[str] | None, channels: int, path: str = "") -> int:
    """Place of a channel from 0, by its name or its number from 1. path: of the data, for messages.

    Raises:
        InputError: there is no such channel.
    """
    if isinstance(name, str) and name in (names or []):
        return names.index(name)
    if isinstance(name, int) and 1 <= name <= channels:
        return name - 1
    told = [n for n in names or [] if not n.isdigit()]
    known = f"1 to {channels}" + (f", or {', '.join(told[:8])}" if told else "")
    raise InputError(f"{path}{': ' * bool(path)}show: found {name!r}, expected {known}")


def spoken(manifest: dict[str, Any]) -> str | None:
    """How figures show images; None of 8-bit pictures."""
    pixels, channels = manifest["pixels"], manifest["images"]["shape"][2]
    if "values" not in pixels and channels in (1, 3):
        return None
    names = pixels.get("channels") or [str(c + 1) for c in range(channels)]
    show = manifest["settings"].get("show")
    if show is not None:
        colours = [names[number(name, names, channels)] for name in show]
    elif channels == 1:
        return "grey, from the 2nd to the 98th percentile"
    else:
        colours = [names[0], names[1], names[0]] if channels == 2 else names if channels == 3 else None
    if colours is None:
        return "the first three principal components of the channels as red, green and blue"
    return f"channels {', '.join(colours)} as red, green and blue"
