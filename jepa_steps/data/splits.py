"""Train, val and test: stratified, seeded, and without copies of one image on both sides."""

import numpy as np

from . import counter

SPLITS = ("train", "val", "test")


def assign(
    given: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    val: float,
    test: float,
    seed: int,
) -> np.ndarray:
    """Split codes for all samples: 0 train, 1 val, 2 test.

    Given codes stay. The rest is divided within each label. Samples of one group (copies of one
    image) stay together: they follow the group's first sample, wherever that is decided here.

    Args:
        given: int64 (n,) codes, -1 = decide. If any sample is given as test, no further test is
            taken, and likewise for val; ``val`` and ``test`` are shares of the undecided part,
            or of the given train part where no sample is undecided.
        labels: int64 (n,), strata; -1 is a stratum of its own.
        groups: int64 (n,), equal for copies.
        val, test: shares.

    Returns:
        int64 (n,).
    """
    split = given.copy()
    pool = np.flatnonzero(given == -1) if (given == -1).any() else np.flatnonzero(given == 0)
    shares = {
        1: 0.0 if (given == 1).any() else val,
        2: 0.0 if (given == 2).any() else test,
    }
    split[pool] = 0
    first = pool[np.unique(groups[pool], return_index=True)[1]]  # one sample stands for its group
    for label in np.unique(labels[first]):
        members = first[labels[first] == label]
        members = counter.generator(seed, "split", int(label) + 1).permutation(members)
        n_val = _at_least_one(shares[1], len(members))
        n_test = _at_least_one(shares[2], len(members))
        split[members[:n_val]] = 1
        split[members[n_val : n_val + n_test]] = 2
    leader = dict(zip(groups[first].tolist(), split[first].tolist(), strict=True))
    split[pool] = [leader[g] for g in groups[pool].tolist()]
    return split


def _at_least_one(share: float, n: int) -> int:
    return 0 if share == 0 or n < 3 else max(1, round(share * n))


def across_splits(groups: np.ndarray, split: np.ndarray) -> list[list[int]]:
    """Groups of copies that stand in more than one split, as lists of sample numbers."""
    order = np.argsort(groups, kind="stable")
    runs = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    return [run.tolist() for run in runs if len(np.unique(split[run])) > 1]
