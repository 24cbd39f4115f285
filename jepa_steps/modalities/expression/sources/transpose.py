"""Row blocks out of values that come in another order: sorted through files, in bounded memory.

First pass: count the values of each row, and cut the rows into bands of at most BLOCK values. Second
pass: append each value to its band's file. A band is then read and sorted in memory.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy import sparse

from .source import Blocks, bands, block

Triplets = Callable[[], Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]]
_RECORD = np.dtype([("row", "<i4"), ("column", "<i4"), ("value", "<f4")])


def row_blocks(triplets: Triplets, shape: tuple[int, int], scratch: Path) -> Blocks:
    """Blocks of the matrix whose (rows, columns, values) ``triplets()`` yields, int64, int64, float.

    Args:
        triplets: starts again with each call; each piece should fit memory.
        shape: cells, genes.
        scratch: folder for 12 bytes a value; filled when blocks are first read.
    """
    edges: list[int] = []

    def blocks() -> Iterator[sparse.csr_matrix]:
        if not edges:
            edges.extend(_scatter(triplets, shape[0], scratch))
        for number, (a, b) in enumerate(pairwise(edges)):
            file = scratch / f"band{number}"
            records = np.fromfile(file, _RECORD) if file.exists() else np.empty(0, _RECORD)
            where = (records["row"] - a, records["column"])
            yield block(sparse.coo_matrix((records["value"], where), (b - a, shape[1])))

    return blocks


def _scatter(triplets: Triplets, rows: int, scratch: Path) -> list[int]:
    counts = np.zeros(rows, np.int64)
    for row, _, _ in triplets():
        counts += np.bincount(row, minlength=rows)
    edges = [0, *(b for _, b in bands(np.concatenate([[0], np.cumsum(counts)])))]
    scratch.mkdir(parents=True, exist_ok=True)
    for row, column, value in triplets():
        band = np.searchsorted(edges, row, side="right") - 1
        order = np.argsort(band, kind="stable")
        records = np.empty(len(row), _RECORD)
        with np.errstate(over="ignore"):
            records["row"], records["column"], records["value"] = row[order], column[order], value[order]
        starts = np.searchsorted(band[order], np.arange(len(edges)))
        for number in np.unique(band):
            with (scratch / f"band{number}").open("ab") as file:
                records[starts[number] : starts[number + 1]].tofile(file)
    return edges
