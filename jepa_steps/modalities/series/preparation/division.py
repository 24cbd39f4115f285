"""Which part a series, or a stretch of one, belongs to.

Shapes: S series, K segments.
"""

import numpy as np

from ....data import groups, splits
from ....data.splits import SPLITS
from ....errors import InputError
from ..dataset import SeriesDataset
from .recordings import Recordings


def divide(
    found: Recordings, labels: np.ndarray, dataset: SeriesDataset, path: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """(segments int64 (K, 4) by ``store.SEGMENT``, names of the groups of series (S,) or None).

    Args:
        labels: int64 (S,), strata of the draw.

    Raises:
        InputError: series without a group where others have one, groups in two given parts, series too
            short to be cut in time, or an empty part.
    """
    named = np.array(found.groups) if any(found.groups) else None
    if named is not None:
        _check_groups(named, found, path)
        groups.refuse_shared(path, named, found.given)
    if dataset.split.kind == "time":
        return _cut(found, dataset, path), named
    part = np.arange(len(found.steps)) if named is None else np.unique(named, return_inverse=True)[1]
    s = dataset.split
    split = splits.assign(found.given, labels, part, s.val, s.test, s.seed)
    for code, name in enumerate(SPLITS):
        if not (split == code).any():
            raise InputError(
                f"{path}: no series in the {name} part of {len(split)} series in "
                f"{len(np.unique(part))} units that stay together; add series, change split, or cut a "
                "long series in time with split.kind: time"
            )
    return np.stack([np.arange(len(split)), found.begin, found.steps, split], 1), named


def _check_groups(named: np.ndarray, found: Recordings, path: str) -> None:
    """Every series has a group where any has: one without would count as a group of its own."""
    empty = np.flatnonzero(named == "")
    if len(empty):
        place = _place(path, found.names[empty[0]])
        raise InputError(
            f"{place}: found no group ({len(empty)} of {len(named)} series have none), "
            "expected one for every series; fill it in, or do without groups"
        )


def _place(path: str, name: str) -> str:
    return path if path.endswith(name) else f"{path}: {name}"


def _cut(found: Recordings, dataset: SeriesDataset, path: str) -> np.ndarray:
    """Each series as three segments, train first, with the purge gap on both sides of the cuts."""
    if (found.given >= 0).any():
        raise InputError(
            f"{path}: found given parts with split.kind time, expected none: a series that is cut in "
            "time has all three; set keys.split: none, or split.kind: series"
        )
    purge = dataset.span - 1 if dataset.split.purge is None else dataset.split.purge
    rows = []
    for number, (begin, steps) in enumerate(zip(found.begin, found.steps, strict=True)):
        cuts = [
            steps - round(s * steps)
            for s in (dataset.split.val + dataset.split.test, dataset.split.test)
        ]
        ends = [(0, cuts[0] - purge), (cuts[0] + purge, cuts[1] - purge), (cuts[1] + purge, steps)]
        for code, (a, b) in enumerate(ends):
            if b - a < dataset.span:
                raise InputError(
                    f"{_place(path, found.names[number])}: {max(0, b - a)} of {steps} time steps are "
                    f"left for {SPLITS[code]} beside a gap of {purge} on each side of a cut, expected "
                    f"at least context_length + target_length = {dataset.span}; take shorter windows, "
                    "larger shares of val and test, or longer series"
                )
            rows.append((number, begin + a, b - a, code))
    return np.array(rows, np.int64)
