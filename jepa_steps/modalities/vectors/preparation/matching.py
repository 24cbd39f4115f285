"""Which row of the table belongs to which embedding."""

from ....data.matching import Matched, SampleNames, by_order, match
from ....data.tables import Table
from ..dataset import VectorDataset
from ..sources.arrays import Rows


def match_rows(rows: Rows, table: Table, dataset: VectorDataset) -> Matched:
    """By name where both sides have names, else by order; rows of the embeddings' own file are its own.

    Raises:
        InputError: other lengths, a name that stands twice, embeddings without a row, or none with one.
    """
    flags = (" (--unmatched drop)", " (--ids)")
    samples = SampleNames(rows.place, "embeddings", len(rows.values), rows.names, flags=flags)
    if rows.table is table:
        return by_order(samples, table, "the same file", [])
    return match(samples, table, dataset.ids, dataset.on_unmatched)
