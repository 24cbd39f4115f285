"""The audit for leaks: series of different parts that hold the same time steps.

Copies of a series, and windows that were cut out of one recording before they came here, put the same
runs of values into training and test. A run is known by a hash of its values; any two runs with equal
hashes are taken to be equal, which is wrong once in 2^64 / (runs of a part squared).

Shapes: S series, T time steps of all of them, C channels.
"""

from collections.abc import Iterator

import numpy as np

from ....arrays import release
from ....draws import GOLDEN
from .recordings import Recordings, blocks

RUN = 24  # equal time steps in a row that count as shared; a shorter series counts as a whole
_VARIED = 8  # different values a run must hold: constant stretches and plain steps are equal by chance
_BLOCK = 1 << 20  # time steps held at once


def shared_steps(values: np.ndarray, found: Recordings, part: np.ndarray) -> dict[int, int]:
    """Series of val and test that share a run of time steps with a series of an earlier part.

    The first and the last run of each series of one side are looked for in all places of the other side,
    in
    both directions: two stretches that overlap hold an end of the one or of the other where they do.

    Args:
        values: float32 (T, C), memory-mapped.
        part: int64 (S,), codes of the parts.

    Returns:
        {number of the series: number of one of the series that it shares them with}, in order.
    """
    leaks: dict[int, int] = {}
    for code in (2, 1):
        later, earlier = np.flatnonzero(part == code), np.flatnonzero(part < code)
        for one, other in _shared(values, found, later, earlier):
            leaks.setdefault(one, other)
        for other, one in _shared(values, found, earlier, later):
            leaks.setdefault(one, other)
    return dict(sorted(leaks.items()))


def _shared(
    values: np.ndarray, found: Recordings, sought: np.ndarray, searched: np.ndarray
) -> Iterator[tuple[int, int]]:
    """(series of ``sought``, series of ``searched``) where an end of the one lies in the other."""
    steps = found.steps[sought]
    for length in np.unique(np.minimum(steps, RUN)).tolist():
        hashes, series = _ends(values, found, sought[np.minimum(steps, RUN) == length], length)
        if not len(hashes):
            continue
        for number, run in _runs(values, found, searched, length):
            place = np.minimum(np.searchsorted(hashes, run), len(hashes) - 1)
            for hit in np.flatnonzero(hashes[place] == run):
                for same in range(place[hit], np.searchsorted(hashes, run[hit], side="right")):
                    yield int(series[same]), int(number[hit])


def _ends(
    values: np.ndarray, found: Recordings, series: np.ndarray, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """(hashes in order, their series) of the first and last varied run of each of the series."""
    hashes, owners = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for number, run in _runs(values, found, series, length):
        first = np.unique(number, return_index=True)[1]
        last = len(number) - 1 - np.unique(number[::-1], return_index=True)[1]
        ends = np.union1d(first, last)
        hashes.append(run[ends])
        owners.append(number[ends])
    order = np.argsort(np.concatenate(hashes), kind="stable")
    return np.concatenate(hashes)[order], np.concatenate(owners)[order]


def _runs(
    values: np.ndarray, found: Recordings, series: np.ndarray, length: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(series, hash uint64) of the varied runs of ``length`` steps that lie within one of the series."""
    series = series[found.steps[series] >= length]
    for some in blocks(found.steps[series], _BLOCK):
        own = series[some]
        number = np.repeat(own, found.steps[own])
        place = np.concatenate(
            [np.arange(b, b + n) for b, n in zip(found.begin[own], found.steps[own], strict=True)]
        )
        step = _step_hashes(values[place])
        release(values)
        whole = number[length - 1 :] == number[: len(number) - length + 1]
        run, changes = _run_hashes(step, length)
        keep = whole & (changes >= min(_VARIED, length) - 1)
        yield number[: len(keep)][keep], run[keep]


def _step_hashes(values: np.ndarray) -> np.ndarray:
    """uint64 (T,) of the bits of all channels at a step; all missing values are alike."""
    bits = np.where(np.isnan(values), np.float32(np.nan), values + np.float32(0)).view(np.uint32)
    found = np.zeros(len(values), np.uint64)
    with np.errstate(over="ignore"):
        for channel in bits.T:
            found = (found ^ channel.astype(np.uint64)) * GOLDEN
            found ^= found >> np.uint64(29)
    return found


def _run_hashes(step: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """(hash uint64, changes int64) of each run of ``length`` steps, a polynomial in GOLDEN."""
    n = len(step) - length + 1
    run, changed = np.zeros(n, np.uint64), np.concatenate([[0], np.cumsum(step[1:] != step[:-1])])
    with np.errstate(over="ignore"):
        for offset in range(length):
            run = run * GOLDEN + step[offset : offset + n]
    return run, changed[length - 1 :] - changed[: len(changed) - length + 1]
