"""Which row of the table belongs to which embedding.

Shapes: n embeddings, m rows of the table, k samples that have both.
"""

from collections import Counter

import numpy as np

from ....errors import InputError
from ..dataset import VectorDataset
from ..sources.arrays import Rows
from ..sources.tables import Table, count, listed

USUAL = ("id", "name", "index", "file", "barcode", "cell_id", "", "Unnamed: 0")
"""Columns that name samples, where the settings say none."""
NONE = "none"


def match(
    rows: Rows, table: Table, dataset: VectorDataset
) -> tuple[np.ndarray, np.ndarray, list[str], list[str]]:
    """(embeddings int64 (k,), ascending; their rows of the table int64 (k,); embeddings left out, by
    name; notes).

    By name where both sides have names, else by order.

    Raises:
        InputError: other lengths, a name that stands twice, embeddings without a row, or none with one.
    """
    column = _column_of_names(rows, table, dataset)
    if rows.table is table or column is None:
        return _by_order(rows, table, dataset)
    names = table.columns[column]
    where = f"{table.path}: column {column!r}"
    _refuse_twice(rows.names, f"{rows.place}: names")
    _refuse_twice(names, where)
    place = {name: i for i, name in enumerate(names)}
    found = np.array([place.get(name, -1) for name in rows.names], np.int64)
    kept, left_out = np.flatnonzero(found >= 0), np.flatnonzero(found < 0)
    if len(left_out) and (dataset.on_unmatched == "fail" or not len(kept)):
        first = rows.names[left_out[0]]
        what = "set on_unmatched: drop (--unmatched drop) to leave them out, or "
        raise InputError(
            f"{where}: found no row for {len(left_out)} of {len(found)} embeddings, the first {first!r} "
            f"(the table's first: {names[0]!r}); {what if len(kept) else ''}name the column of names in "
            "ids (--ids), or none for rows in the same order"
        )
    notes = [f"rows matched by name: column {column!r} of the table, {len(kept)} samples"]
    dropped = [rows.names[i] for i in left_out]
    if dropped:
        notes.append(
            f"left out: {len(dropped)} embeddings without a row in the table, {listed(dropped)}"
        )
    if spare := len(names) - len(kept):
        of_table = ("row of the table has {}is not used", "rows of the table have {}are not used")
        notes.append(count(spare, *of_table).format("no embedding and "))
    return kept, found[kept], dropped, notes


def _by_order(
    rows: Rows, table: Table, dataset: VectorDataset
) -> tuple[np.ndarray, np.ndarray, list[str], list[str]]:
    n = len(rows.values)
    if len(table) != n:
        hint = "" if rows.names else "; the embeddings have no names to match rows by"
        raise InputError(
            f"{table.path}: found {len(table)} rows for {n} embeddings in {rows.place}, expected as many"
            f"{hint}"
        )
    every = np.arange(n)
    why = "the same file" if rows.table is table else "embeddings have no names"
    if rows.table is not table and rows.names:
        why = "as set" if dataset.ids == NONE else "the table has no column of names"
    return (
        every,
        every,
        [],
        [f"rows matched by order ({why}): {n} samples", *_unchecked(rows, table, dataset)],
    )


def _unchecked(rows: Rows, table: Table, dataset: VectorDataset) -> list[str]:
    """A warning where one side alone has names, so that nothing tells whether the orders agree."""
    if rows.table is table or dataset.ids == NONE:
        return []
    named = [name for name in table.columns if name.lower() in {usual.lower() for usual in USUAL}]
    if not rows.names and not named:
        return []
    who = "the embeddings have names" if rows.names else f"the table has names in {named[0]!r}"
    return [
        f"CHECK THE ORDER: {who}, the other side has none to compare them with. If one of the two was "
        "sorted or filtered since, every label is wrong. Give names to both, such as an .npz with an "
        "array names; or set ids to none to say that the order is right"
    ]


def _column_of_names(rows: Rows, table: Table, dataset: VectorDataset) -> str | None:
    """The column that names samples; of several usual ones that which names most embeddings."""
    if dataset.ids == NONE:
        return None
    if dataset.ids is not None:
        table.column(dataset.ids, "ids")
        if rows.names is None:
            raise InputError(
                f"{rows.place}: ids: found {dataset.ids!r} in the table, but the embeddings have no "
                "names; leave ids out to match rows by order, or write an .npz with an array names"
            )
        return dataset.ids
    lower = {name.lower(): name for name in reversed(table.columns)}
    usual = [lower[name.lower()] for name in USUAL if name.lower() in lower]
    if rows.names is None or not usual:
        return None
    known = set(rows.names)
    return max(usual, key=lambda name: len(known & set(table.columns[name])))


def _refuse_twice(names: list[str], where: str) -> None:
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise InputError(f"{where}: found {name!r} {count} times, expected each name once")
