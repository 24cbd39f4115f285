"""Groups: the unit that never crosses splits (a donor, a scene, a recording).

Copies of one sample never cross splits, either; ``together`` unites the two demands.
"""

import re
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..errors import InputError
from .splits import FEWEST_GROUPS, SPLITS, Splits, across_splits


def few_to_test(table: Splits) -> list[str]:
    """A sentence where test has so few groups that no comparison can be decided."""
    n = len(np.unique(table.groups[table.split == SPLITS.index("test")]))
    if not table.named_groups or not 0 < n < FEWEST_GROUPS:
        return []
    return [
        f"test has {n} group{'s' * (n != 1)} ({table.unit}): with fewer than {FEWEST_GROUPS}, no "
        "comparison with a floor or baseline can be decided; where parts are drawn, raise split.test"
    ]


def of_paths(names: list[str], pattern: str | None, path: Path) -> np.ndarray | None:
    """What the capture group of ``pattern`` finds in each relative path, as str (n,).

    Raises:
        InputError: a path in which it finds nothing.
    """
    if pattern is None:
        return None
    found = [re.search(pattern, Path(name).as_posix()) for name in names]
    for name, match in zip(names, found, strict=True):
        if match is None or not match[1]:
            raise InputError(
                f"{path / name}: groups {pattern!r} finds no group in the path {name!r}, expected one "
                "for every sample; change groups"
            )
    return np.array([match[1] for match in found if match])


def of_array(groups: np.ndarray | None, n: int, path: Path) -> np.ndarray | None:
    """The array ``groups`` of an .npz, one entry per sample in the order train, val, test, as str (n,).

    Raises:
        InputError: wrong length or type.
    """
    if groups is None:
        return None
    if groups.size != n or groups.dtype.kind not in "iuUS":
        raise InputError(
            f"{path}: groups: found {groups.size} of type {groups.dtype}, expected {n} integers or "
            "texts, one per sample (train, then val, then test)"
        )
    groups = groups.reshape(-1)
    return np.char.decode(groups) if groups.dtype.kind == "S" else groups.astype(np.str_)


def together(copies: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Parts of samples that must share a split, because they share a code of either kind.

    Args:
        copies, groups: int64 (n,), codes from 0; equal values, equal group.

    Returns:
        int64 (n,): connected components, so that a copy in another group ties the two groups.
    """
    first = int(copies.max()) + 1
    size = first + int(groups.max()) + 1
    edges = coo_array((np.ones(len(copies), bool), (copies, groups + first)), shape=(size, size))
    return connected_components(edges, directed=False)[1][copies].astype(np.int64)


def refuse_shared(path: str, groups: np.ndarray, given: np.ndarray) -> None:
    """Given splits must not share a group.

    Args:
        path: the source, for the message.
        groups: str (n,) names.
        given: int64 (n,) split codes, -1 = undecided.

    Raises:
        InputError: a group in two given splits; names the first and counts the rest.
    """
    codes = np.unique(groups, return_inverse=True)[1]
    shared = across_splits(codes, given)
    if shared:
        where = " and ".join(SPLITS[code] for code in np.unique(given[shared[0]]))
        raise InputError(
            f"{path}: {len(shared)} of {codes.max() + 1} groups are in more than one given part (group "
            f"{str(groups[shared[0][0]])!r} in {where}), expected none: that is leakage; "
            "move each group into one part, or remove the given parts"
        )
