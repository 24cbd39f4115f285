"""What looks wrong in a column, though it can be read: said by prepare, and left as it is."""

import numpy as np

_FAR = 10.0  # distances between the quartiles of all other values
_FEWEST = 20


def repeated_extreme(values: np.ndarray) -> tuple[float, int] | None:
    """(value, how often) of a smallest or largest number that occurs at least three times and lies far
    from all others, as codes for missing values do (-9999); None where there is none.

    Args:
        values: numbers of any shape; NaN is passed over.
    """
    known = values[np.isfinite(values)]
    for end in (known.min(), known.max()) if known.size else ():
        others = known[known != end]
        count = known.size - others.size
        if count < 3 or others.size < _FEWEST:
            continue
        low, high = np.quantile(others, [0.25, 0.75])
        if min(abs(end - low), abs(end - high)) > _FAR * (high - low) > 0:
            return float(end), count
    return None


def extreme_note(name: str, found: tuple[float, int]) -> str:
    """The sentence on what ``repeated_extreme`` found."""
    value, count = found
    return (
        f"{name}: {count} values are {value:g}, far from all others; if this stands for a missing "
        "value, leave it empty in the data"
    )


def nearly_equal(names: list[str]) -> list[list[str]]:
    """Names that differ only in case or in spaces, together."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault("".join(name.split()).casefold(), []).append(name)
    return [found for found in alike.values() if len(found) > 1]
