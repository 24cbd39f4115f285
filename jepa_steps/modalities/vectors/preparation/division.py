"""Which part each sample belongs to.

Shapes: k samples.
"""

import numpy as np

from ....data import groups as unit
from ....data.columns import part_codes
from ....data.matching import NONE
from ....data.splits import SPLITS, assign
from ....data.tables import Table
from ....errors import InputError
from ..dataset import VectorDataset

USUAL = ("split", "part", "fold")
"""Columns of given parts, where the settings name none."""


def divide(
    table: Table, rows: np.ndarray, codes: np.ndarray, dataset: VectorDataset
) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """(part int64 (k,) by ``data.splits.SPLITS``; names of groups (k,) or None; notes).

    Args:
        rows: int64 (k,) of the table. codes: int64 (k,), the labels, by which the draw is stratified.

    Raises:
        InputError: a column that is not there or holds other than parts, groups in two given parts, or
            a part without samples.
    """
    given, notes = _given(table, rows, dataset)
    groups = _groups(table, rows, dataset)
    if groups is not None:
        unit.refuse_shared(table.path, groups, given)
    part = np.arange(len(rows)) if groups is None else np.unique(groups, return_inverse=True)[1]
    s = dataset.split
    split = assign(given, codes, part, s.val, s.test, s.seed)
    counts = np.bincount(split, minlength=3)
    for count, name in zip(counts, SPLITS, strict=True):
        if not count:
            what = "samples" if groups is None else f"values of {dataset.group!r}, which stay together"
            raise InputError(
                f"{table.path}: no sample for the {name} part: found {part.max() + 1} {what}, expected "
                "at least 3; give more, or leave group out"
            )
    drawn = [name for code, name in enumerate(SPLITS) if (split[given != split] == code).any()]
    if drawn:
        by = "label" if (codes >= 0).any() else "chance"
        kept = f", {dataset.group!r} stays together" if groups is not None else ""
        notes.append(f"parts drawn ({', '.join(drawn)}) by {by} with seed {s.seed}{kept}")
    notes.append("parts: " + ", ".join(f"{n:,} {p}" for n, p in zip(counts, SPLITS, strict=True)))
    return split, groups, notes


def _given(table: Table, rows: np.ndarray, dataset: VectorDataset) -> tuple[np.ndarray, list[str]]:
    """(given parts int64 (k,), -1 = undecided; notes)."""
    undecided = np.full(len(rows), -1, np.int64)
    name = dataset.split_column
    if name == NONE:
        return undecided, []
    usual = [usual for usual in USUAL if usual in table.columns]
    column = name or (usual[0] if usual else None)
    if column is None:
        return undecided, []
    try:
        return part_codes(table, column, rows), [f"given parts: column {column!r}"]
    except InputError:
        if name is not None:
            raise
        return undecided, [f"column {column!r} holds no parts (train, val, test) and is not used"]


def _groups(table: Table, rows: np.ndarray, dataset: VectorDataset) -> np.ndarray | None:
    """Names of groups; a sample without one is a group of its own."""
    if dataset.group is None:
        return None
    whole = table.column(dataset.group, "group")
    return np.array([whole[row] or f"(sample {i})" for i, row in enumerate(rows)])
