"""What a table beside the samples says of them.

Shapes: n samples, k of them with a row in the table.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..config.base import Target
from ..config.beside import TableBeside
from ..errors import InputError
from .columns import part_codes, read_column
from .matching import NONE, SampleNames, match
from .tables import Table, listed, open_table
from .targets import Kind


@dataclass(frozen=True)
class Told:
    """What a table says of the samples that it names.

    kept: samples int64 (k,), ascending; left_out: names of the others. columns, kinds: targets and
    nuisances, k texts each, "" = unknown. None where the table is not asked: labels, k texts; groups,
    str (k,); given, parts int64 (k,), -1 = to be drawn. notes: what was guessed, counted or left out;
    of_columns: what the columns were taken for.
    """

    kept: np.ndarray
    left_out: list[str]
    columns: dict[str, list[str]]
    kinds: dict[str, Kind]
    labels: list[str] | None
    groups: np.ndarray | None
    given: np.ndarray | None
    notes: list[str]
    of_columns: list[str]


def asked_columns(settings: TableBeside) -> Iterator[tuple[str, str, Target]]:
    """(setting, column, kind) of targets and nuisances, without the label."""
    for field, columns in (("targets", settings.targets), ("nuisances", settings.nuisances)):
        yield from ((field, name, kind) for name, kind in columns.items() if name != settings.label)


def read_beside(samples: SampleNames, settings: TableBeside) -> Told:
    """Read the table that the settings name.

    Raises:
        InputError: a table that cannot be used, samples without a row, columns that are not there or
            hold something else, or a sample without a group.
    """
    table = open_table(Path(str(settings.table)))
    matched = match(samples, table, settings.ids, settings.on_unmatched)
    rows = matched.rows.tolist()
    columns, kinds, notes, of_columns = {}, {}, list(matched.notes), []
    for field, name, wanted in asked_columns(settings):
        columns[name], kinds[name], note = read_column(table, name, field, wanted, rows)
        of_columns.append(note)
    labels = _labels(table, rows, samples, settings, notes)
    groups = _groups(table, rows, samples, settings)
    if groups is not None:
        number = len(np.unique(groups))
        notes.append(f"groups: column {settings.group!r}, {number} that stay in one part each")
    given = None
    if settings.split_column is not None:
        given = part_codes(table, settings.split_column, rows)
        notes.append(f"given parts: column {settings.split_column!r}")
    used = {*columns, settings.label, settings.group, settings.split_column, matched.column}
    if unused := [name for name in table.columns if name not in used]:
        notes.append(f"columns of the table that are not used: {listed(unused, 5)}")
    return Told(matched.kept, matched.left_out, columns, kinds, labels, groups, given, notes, of_columns)


def _labels(
    table: Table, rows: list[int], samples: SampleNames, settings: TableBeside, notes: list[str]
) -> list[str] | None:
    if settings.label in (None, NONE):
        return None if settings.label is None else [""] * len(rows)
    texts, _, _ = read_column(table, settings.label, "label", "classes", rows)
    unknown = sum(not text for text in texts)
    without = f"; {unknown} of {len(rows)} {samples.what} have none" if unknown else ""
    notes.append(f"label: column {settings.label!r}{without}")
    return texts


def _groups(
    table: Table, rows: list[int], samples: SampleNames, settings: TableBeside
) -> np.ndarray | None:
    """Names of groups. Every sample has one where any has: without, it might be a copy of a donor's."""
    if settings.group is None:
        return None
    whole = table.column(settings.group, "group")
    texts = [whole[row] for row in rows]
    if empty := [row for row, text in zip(rows, texts, strict=True) if not text]:
        raise InputError(
            f"{table.path}: group: column {settings.group!r}: row {empty[0] + 1}: found no value "
            f"({len(empty)} of {len(rows)} {samples.what} have none), expected a group for each; "
            "fill it in, or do without group"
        )
    return np.array(texts)
