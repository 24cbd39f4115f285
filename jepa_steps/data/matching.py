"""Which row of a table belongs to which sample.

Shapes: n samples, m rows of the table, k samples that have both.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from ..errors import InputError
from .tables import Table, count, listed

NONE = "none"  # in place of a column: do without
_USUAL = ("id", "name", "index", "file", "barcode", "cell_id", "", "Unnamed: 0")


@dataclass(frozen=True)
class SampleNames:
    """n samples of which a table tells more; n is None where they are counted later, row by row.

    place: where they are, for messages. what: what they are, in the plural. names: None = they have
    none. files: whether names are paths of files. usual: further columns that may hold names.
    flags: of a command line, what stands for the settings on_unmatched and ids.
    """

    place: str
    what: str
    n: int | None
    names: list[str] | None = None
    files: bool = False
    usual: tuple[str, ...] = ()
    flags: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Matched:
    """kept: samples int64 (k,), ascending. rows: theirs of the table, int64 (k,). left_out: names of the
    samples without a row. notes: how rows were matched, a sentence each. column: that names samples;
    None = matched by order."""

    kept: np.ndarray
    rows: np.ndarray
    left_out: list[str]
    notes: list[str]
    column: str | None = None


def match(samples: SampleNames, table: Table, ids: str | None, on_unmatched: str) -> Matched:
    """By name where both sides have names, else by order.

    Args:
        ids: column of the table that names samples; None = a usual one, "none" = by order.
        on_unmatched: fail or drop, of samples without a row.

    Raises:
        InputError: other lengths, a name that stands twice, samples without a row, or none with one.
    """
    column, way, found = _best_column(samples, table, ids)
    if column is None and samples.files and ids is None:
        raise InputError(
            f"{table.path}: found no column that names the {samples.what} among "
            f"{listed(table.columns)}; name it in ids, or none for rows in the order of {samples.place}"
        )
    if column is None:
        why = "as set" if ids == NONE else "the table has no column of names"
        why = why if samples.names else f"{samples.what} have no names"
        return by_order(samples, table, why, [] if ids == NONE else _unchecked(samples, table))
    names, where = table.columns[column], f"{table.path}: column {column!r}"
    _refuse_twice(samples.names, f"{samples.place}: names")
    _refuse_twice(names, where)
    kept, left_out = np.flatnonzero(found >= 0), np.flatnonzero(found < 0)
    if len(left_out) and (on_unmatched == "fail" or not len(kept)):
        drop, of_ids = samples.flags
        what = f"set on_unmatched: drop{drop} to leave them out, or " if len(kept) else ""
        how = f", compared by {way}" * samples.files
        raise InputError(
            f"{where}: found no row for {len(left_out)} of {len(found)} {samples.what}, the first "
            f"{samples.names[left_out[0]]!r} (the table's first: {names[0]!r}){how}; {what}name the "
            f"column of names in ids{of_ids}, or none for rows in the same order"
        )
    notes = [f"rows matched by {way}: column {column!r} of the table, {len(kept)} samples"]
    dropped = [samples.names[i] for i in left_out]
    if dropped:
        without = f"{len(dropped)} {samples.what} without a row in the table"
        notes.append(f"left out: {without}, {listed(dropped)}")
    if spare := len(names) - len(kept):
        of_table = ("row of the table has {}is not used", "rows of the table have {}are not used")
        notes.append(count(spare, *of_table).format(f"no {samples.what.rstrip('s')} and "))
    return Matched(kept, found[kept], dropped, notes, column)


def by_order(samples: SampleNames, table: Table, why: str, warnings: list[str]) -> Matched:
    """A row for each sample, in the same order.

    Raises:
        InputError: other lengths.
    """
    n = len(table) if samples.n is None else samples.n
    if len(table) != n:
        hint = "" if samples.names else f"; the {samples.what} have no names to match rows by"
        raise InputError(
            f"{table.path}: found {len(table)} rows for {n} {samples.what} in {samples.place}, "
            f"expected as many{hint}"
        )
    every = np.arange(n)
    return Matched(every, every, [], [f"rows matched by order ({why}): {n} samples", *warnings])


def _best_column(
    samples: SampleNames, table: Table, ids: str | None
) -> tuple[str | None, str, np.ndarray]:
    """(column that names samples, None = there is none; what of the names was compared; row int64 (n,)
    of each sample, -1 = none). Of several usual columns it is that which names most samples."""
    if ids not in (None, NONE):
        table.column(ids, "ids")
        if samples.names is None:
            raise InputError(
                f"{samples.place}: ids: found {ids!r} in the table, but the {samples.what} have no "
                "names; leave ids out to match rows by order, or write an .npz with an array names"
            )
    columns = _usual(table, samples) if ids is None else [ids] * (ids != NONE)
    if samples.names is None or not columns:
        return None, "", np.empty(0, np.int64)
    tried = [(name, *_best_way(samples, table.columns[name])) for name in columns]
    return max(tried, key=lambda one: (one[2] >= 0).sum())


def _best_way(samples: SampleNames, names: list[str]) -> tuple[str, np.ndarray]:
    """(what of the names was compared, row int64 (n,) of each sample, -1 = none): the first of the ways
    by which any sample has a row; a later one might mix up files of several folders. What is compared
    differs between samples, and between rows."""
    for what, mine, theirs in _ways(samples, names):
        place = {name: i for i, name in enumerate(theirs)}
        if len(set(mine)) < len(mine) or len(place) < len(theirs):
            continue
        found = np.array([place.get(name, -1) for name in mine], np.int64)
        if (found >= 0).any():
            return what, found
    return "name", np.full(len(samples.names), -1)


def _ways(samples: SampleNames, names: list[str]) -> Iterator[tuple[str, list[str], list[str]]]:
    """(what is compared, that of each sample, that of each row). Tables name files from a folder of
    their own, and often without the ending."""
    if not samples.files:
        yield "name", samples.names, names
        return
    bare = [str(PurePosixPath(name).with_suffix("")) for name in samples.names]
    rows = [name.replace("\\", "/").removeprefix("./") for name in names]
    for above in range(1 + min(name.count("/") for name in rows)):
        what = "path" + f" below the first {count(above, 'folder', 'folders')} of the row" * (above > 0)
        below = [name.split("/", above)[-1] for name in rows]
        yield what, samples.names, below
        yield f"{what}, without the ending", bare, below
    last = [name.split("/")[-1] for name in rows]
    yield "file name", [name.split("/")[-1] for name in samples.names], last
    yield "file name, without the ending", [name.split("/")[-1] for name in bare], last


def _usual(table: Table, samples: SampleNames) -> list[str]:
    lower = {name.lower(): name for name in reversed(table.columns)}
    return [lower[n.lower()] for n in (*samples.usual, *_USUAL) if n.lower() in lower]


def _unchecked(samples: SampleNames, table: Table) -> list[str]:
    """A warning where one side alone has names, so that nothing tells whether the orders agree."""
    named = _usual(table, samples)
    if not samples.names and not named:
        return []
    who = f"the {samples.what} have names" if samples.names else f"the table has names in {named[0]!r}"
    return [
        f"CHECK THE ORDER: {who}, the other side has none to compare them with. If one of the two was "
        "sorted or filtered since, every label is wrong. Give names to both, such as an .npz with an "
        "array names; or set ids to none (judge: --ids none) to say that the order is right"
    ]


def _refuse_twice(names: list[str], where: str) -> None:
    name, number = Counter(names).most_common(1)[0]
    if number > 1:
        raise InputError(f"{where}: found {name!r} {number} times, expected each name once")
