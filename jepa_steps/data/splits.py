"""Train, val and test: stratified, seeded, and nothing that belongs together on both sides."""

import numpy as np

from . import counter

SPLITS = ("train", "val", "test")


def assign(
    given: np.ndarray,
    labels: np.ndarray,
    parts: np.ndarray,
    val: float,
    test: float,
    seed: int,
) -> np.ndarray:
    """Split codes for all samples: 0 train, 1 val, 2 test.

    Given codes stay. Of the rest, whole parts are divided within each label; parts of several
    labels, and those of labels with fewer than three parts, form one stratum of their own.

    Args:
        given: int64 (n,) codes, -1 = decide. If any sample is given as test, no further test is
            taken, and likewise for val; ``val`` and ``test`` are shares of the undecided parts,
            or of the given train parts where no sample is undecided.
        labels: int64 (n,), strata; -1 is a stratum of its own.
        parts: int64 (n,), equal for samples that stay together, as ``groups.together`` tells.
        val, test: shares of the number of parts.

    Returns:
        int64 (n,).
    """
    split = given.copy()
    pool = np.flatnonzero(given == -1) if (given == -1).any() else np.flatnonzero(given == 0)
    shares = {
        1: 0.0 if (given == 1).any() else val,
        2: 0.0 if (given == 2).any() else test,
    }
    part = np.unique(parts[pool], return_inverse=True)[1]
    strata = _strata(labels[pool], part)
    code = np.zeros(len(strata), dtype=np.int64)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        members = counter.generator(seed, "split", int(stratum) + 1).permutation(members)
        n_val = _at_least_one(shares[1], len(members), keep=2)
        n_test = _at_least_one(shares[2], len(members), keep=n_val + 1)
        code[members[:n_val]] = 1
        code[members[n_val : n_val + n_test]] = 2
    split[pool] = code[part]
    return split


def _strata(labels: np.ndarray, part: np.ndarray) -> np.ndarray:
    """The label of each part; one number above all labels where it has several or is too rare."""
    low, high = np.full(part.max() + 1, labels.max()), np.full(part.max() + 1, -1)
    np.minimum.at(low, part, labels)
    np.maximum.at(high, part, labels)
    mixed = labels.max() + 1
    strata = np.where(low == high, low, mixed)
    values, counts = np.unique(strata, return_counts=True)
    return np.where(np.isin(strata, values[counts < 3]), mixed, strata)


def _at_least_one(share: float, n: int, keep: int) -> int:
    """A share of n parts, at least one and at most all but ``keep``; none of fewer than three."""
    return 0 if share == 0 or n < 3 else min(max(1, round(share * n)), n - keep)


def across_splits(groups: np.ndarray, split: np.ndarray) -> list[list[int]]:
    """Groups that stand in more than one split, as lists of sample numbers."""
    order = np.argsort(groups, kind="stable")
    runs = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    return [run.tolist() for run in runs if len(np.unique(split[run])) > 1]
