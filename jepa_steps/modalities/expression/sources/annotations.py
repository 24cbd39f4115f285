"""What text formats share: rows of a table, annotations by cell name, and the source made of them."""

from pathlib import Path

from ....errors import InputError
from ....files import csv_rows
from .source import Blocks, Column, ExpressionSource, factorise


def in_memory(
    path: Path, names: list[str], genes: dict[str, list[str]], columns: dict[str, Column], blocks: Blocks
) -> ExpressionSource:
    """A source whose names and annotations are all read already."""
    return ExpressionSource(
        str(path), len(names), genes, list(columns), columns.__getitem__, lambda a, b: names[a:b], blocks
    )


def read_annotations(path: Path, names: list[str]) -> dict[str, Column]:
    """Columns of a CSV, its rows brought into the order of ``names``."""
    rows = list(csv_rows(path))
    found = {row[0].strip(): row for row in rows[1:]}
    missing = [name for name in names if name not in found]
    if missing or len(found) < len(rows) - 1:
        raise InputError(
            f"{path}: found {len(found)} cell names in {len(rows) - 1} rows, without "
            f"{len(missing)} of {len(names)} cells of the matrix"
            f"{f', e.g. {missing[0]!r}' if missing else ''}; expected each cell once, name first"
        )
    return {
        name: factorise(found[cell][i] if i < len(found[cell]) else "" for cell in names)
        for i, name in enumerate(rows[0])
        if i > 0
    }
