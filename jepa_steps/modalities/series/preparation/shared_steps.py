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

RUN = 24  # equal time steps in a row that count as shared; series shorter than two runs count as a whole
_VARIED = 8  # different values a run must hold: constant stretches and plain steps are equal by chance
_BLOCK = 1 << 20  # time steps held at once


def shared_steps(values: np.ndarray, found: Recordings, part: np.ndarray) -> dict[int, int]:
    """Series of val and test that share a run of time steps with a series of an earlier part.

    The first and the last run of each later series are looked for in all places of earlier ones, which
    finds copies and windows that overlap by at least a run.

    Args:
        values: float32 (T, C), memory-mapped.
        part: int64 (S,), codes of the parts.

    Returns:
        {number of the series: number of one of the series that it shares them with}, in order.
    """
    leaks: dict[int, int] = {}
    for code in (2, 1):
        sought = {length: _ends(values, found, np.flatnonzero(part == code), length)
                  for length in _lengths(found.steps, part, code)}  # fmt: skip
        for length, (hashes, series) in sought.items():
            order = np.argsort(hashes, kind="stable")
            for earlier, run in _runs(values, found, np.flatnonzero(part < code), length):
                place = np.searchsorted(hashes[order], run)
                place = np.minimum(place, len(order) - 1)
                for hit in np.flatnonzero(hashes[order][place] == run):
                    first = place[hit]
                    while first < len(order) and hashes[order[first]] == run[hit]:
                        leaks.setdefault(int(series[order[first]]), int(earlier[hit]))
                        first += 1
    return dict(sorted(leaks.items()))


def _lengths(steps: np.ndarray, part: np.ndarray, code: int) -> list[int]:
    """Lengths of the runs that are looked for: RUN, and those of series too short for it."""
    mine = steps[part == code]
    short = np.unique(mine[mine < 2 * RUN]).tolist()
    return ([RUN] if (mine >= 2 * RUN).any() else []) + short


def _ends(
    values: np.ndarray, found: Recordings, series: np.ndarray, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """(hashes, series) of the first and last run of those series for which ``length`` is asked."""
    steps = found.steps[series]
    mine = series[(steps >= 2 * RUN) if length == RUN else (steps == length)]
    hashes, owners = [], []
    for number, run in _runs(values, found, mine, length):
        first = np.unique(number, return_index=True)[1]
        last = len(number) - 1 - np.unique(number[::-1], return_index=True)[1]
        ends = np.union1d(first, last)
        hashes.append(run[ends])
        owners.append(number[ends])
    if not hashes:
        return np.zeros(1, np.uint64), np.zeros(1, np.int64)
    return np.concatenate(hashes), np.concatenate(owners)


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
