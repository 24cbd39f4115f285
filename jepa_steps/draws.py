"""Counter-based random draws: every number is a pure function of what it is for.

A draw is keyed by (seed, purpose, epoch, global sample index, position in the sample's stream).
Nothing has a state, so resuming, adding workers or adding ranks cannot change a single draw.
The mixing function is splitmix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom
number generators"), vectorised over the batch.

Shapes: B samples, n draws a sample.
"""

import hashlib

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
ROUNDS = ((30, np.uint64(0xBF58476D1CE4E5B9)), (27, np.uint64(0x94D049BB133111EB)))
LAST = 31


def _mix(z: np.ndarray) -> np.ndarray:
    for shift, factor in ROUNDS:
        z = (z ^ (z >> np.uint64(shift))) * factor
    return z ^ (z >> np.uint64(LAST))


def key(seed: int, purpose: str) -> int:
    """64-bit key of one independent stream, e.g. ``key(0, "augment")``."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest())


def uniform(stream: int, epoch: np.ndarray | int, index: np.ndarray | int, n: int) -> np.ndarray:
    """Draw ``n`` numbers in [0, 1) for each sample.

    Args:
        stream: a ``key(seed, purpose)``.
        epoch: int64 (B,) or a scalar; how often the sample has been visited before.
        index: int64 (B,) or a scalar; the sample's index in the whole data set.

    Returns:
        float64 (B, n); row b depends on (stream, epoch[b], index[b]) only.
    """
    with np.errstate(over="ignore"):
        base = states(stream, epoch, index)
        bits = _mix(base[:, None] + np.arange(1, n + 1, dtype=np.uint64) * GOLDEN)
    return (bits >> np.uint64(11)) * 2.0**-53


def states(stream: int, epoch: np.ndarray | int, index: np.ndarray | int) -> np.ndarray:
    """Where the draws of each sample begin, uint64 (B,); arguments as of ``uniform``."""
    epoch = np.atleast_1d(np.asarray(epoch)).astype(np.uint64)
    index = np.atleast_1d(np.asarray(index)).astype(np.uint64)
    with np.errstate(over="ignore"):
        return _mix(_mix(np.uint64(stream) + epoch * GOLDEN) ^ (index * GOLDEN))


def generator(seed: int, purpose: str, *counters: int) -> np.random.Generator:
    """A numpy generator for draws that are not per sample: permutations, splits, bootstraps."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([key(seed, purpose), *counters])))


def sample(rows: np.ndarray, most: int, seed: int, purpose: str, *counters: int) -> np.ndarray:
    """At most ``most`` of the rows, drawn at random, in ascending order."""
    return np.sort(generator(seed, purpose, *counters).permutation(rows)[:most])


def evenly(rows: np.ndarray, most: int) -> np.ndarray:
    """At most ``most`` of the rows, evenly spaced, in order."""
    places = np.linspace(0, len(rows) - 1, min(len(rows), most))
    return rows[places.round().astype(np.int64)]
