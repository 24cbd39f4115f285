"""One pass over a source: checks every value, and measures what normalisation and filters need.

Statistics are of training cells only. Shapes: n cells of the source, G genes of the source.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from scipy import sparse

from ....errors import InputError
from ..dataset import LOG_MOST, ExpressionDataset
from ..sources.source import ExpressionSource
from .labels import Cells

_DETECT = 2_000  # training cells looked at to tell counts from logarithms
_ALIKE = 20  # cells from which on equal sums say that cells were scaled, and not made logarithms


@dataclass
class Survey:
    """What one pass over the source measured.

    input: counts, normalised or log.
    totals: float64 (n,), sum of each cell.
    expressed: int32 (n,), genes above 0.
    digests: uint64 (n,), equal for cells of equal expression.
    fitted: bool (n,), cells the statistics are of.
    sums, squares: float64 (G,), over fitted cells, of expression on the linear scale: counts over
        their cell's total, or expm1 of logarithms.
    cells_of: int64 (G,), fitted cells that express each gene.
    targets: float32 (n, K), linear expression of the genes a cell's perturbation hits, NaN where not
        measured; empty without a knock-down filter.
    control_sums: float64 (contexts, G), control_counts: int64 (contexts,), of fitted controls.
    """

    input: str
    totals: np.ndarray
    expressed: np.ndarray
    digests: np.ndarray
    fitted: np.ndarray
    sums: np.ndarray
    squares: np.ndarray
    cells_of: np.ndarray
    targets: np.ndarray
    control_sums: np.ndarray
    control_counts: np.ndarray


def numbered(source: ExpressionSource) -> Iterator[tuple[int, sparse.csr_matrix]]:
    """(first row, block) over the source.

    Raises:
        InputError: fewer or more rows than the source says.
    """
    a = 0
    for x in source.blocks():
        yield a, x
        a += x.shape[0]
    if a != source.cells:
        raise InputError(f"{source.path}: found {a} rows of expression, expected {source.cells}")


def detect_input(source: ExpressionSource, split: np.ndarray, dataset: ExpressionDataset) -> str:
    """Whether values are counts or logarithms, from the first training cells of the source.

    Raises:
        InputError: neither.
    """
    if dataset.input != "auto":
        return dataset.input
    looked, most, whole = 0, 0.0, True
    for a, x in islice(numbered(source), 64):
        _check_values(x, a, "unknown", split[a : a + x.shape[0]], source)
        most, whole = _extent(x[split[a : a + x.shape[0]] == 0].data, most, whole)
        looked += int((split[a : a + x.shape[0]] == 0).sum())
        if looked >= _DETECT:
            break
    if not whole and most > LOG_MOST:
        raise InputError(
            f"{source.path}: input: found fractions up to {most:.6g}, neither counts (integers) nor "
            "logarithms (below 20); set layer to the counts, or input: normalised to take log1p of these"
        )
    return "counts" if whole else "log"


def _extent(values: np.ndarray, most: float, whole: bool) -> tuple[float, bool]:
    """The maximum, and whether all are integers, of these values and those before."""
    return max(most, float(values.max(initial=0))), whole and not (values % 1).any()


def survey(
    source: ExpressionSource,
    cells: Cells,
    split: np.ndarray,
    columns: np.ndarray,
    dataset: ExpressionDataset,
) -> Survey:
    """The first pass.

    Args:
        split: int64 (n,), -1 = left out.
        columns: bool (G,), genes in use.

    Raises:
        InputError: negative or not-finite values, or values that are not what ``input`` says.
    """
    n, genes = source.cells, len(columns)
    kind = detect_input(source, split, dataset)
    targets = _judged(cells, columns, source) if dataset.knock_down else np.empty((1, 0), np.int64)
    s = Survey(
        kind, np.zeros(n), np.zeros(n, np.int32), np.zeros(n, np.uint64), split == 0, np.zeros(genes),
        np.zeros(genes), np.zeros(genes, np.int64), np.full((n, targets.shape[1]), np.nan, np.float32),
        np.zeros((len(cells.contexts) if dataset.knock_down else 0, genes)),
        np.zeros(len(cells.contexts), np.int64),
    )  # fmt: skip
    most, whole = 0.0, True
    for a, x in numbered(source):
        rows = slice(a, a + x.shape[0])
        _check_values(x, a, kind, split[rows], source)
        if kind != "counts":
            most, whole = _extent(x[split[rows] == 0].data, most, whole)
        if not columns.all():
            x = x.multiply(columns).tocsr()
            x.eliminate_zeros()
        s.totals[rows] = np.asarray(x.sum(1, dtype=np.float64)).reshape(-1)
        s.expressed[rows] = np.diff(x.indptr)
        s.fitted[rows] &= s.expressed[rows] >= dataset.min_genes
        s.digests[rows] = _digests(x)
        _gather(s, _linear(x, kind, s.totals[rows]), rows, cells, targets)
    if not s.fitted.any():
        raise InputError(f"{source.path}: none of {int((split == 0).sum())} training cells expresses "
                         f"{dataset.min_genes} genes; lower min_genes, or check layer")  # fmt: skip
    _check_scale(s, most, whole, source)
    return s


def _check_scale(s: Survey, most: float, whole: bool, source: ExpressionSource) -> None:
    """Values of training cells that each may be what ``input`` says, but not together."""
    totals = s.totals[s.fitted]
    alike = len(totals) >= _ALIKE and np.ptp(totals) <= 0.01 * totals.max()
    if s.input == "log" and whole:
        found = f"integers up to {most:g}, not logarithms; set input: counts, or layer to the logarithms"
    elif s.input == "log" and alike:
        found = (f"cells that all sum to {np.median(totals):.6g}: scaled values, of which no logarithm "
                 "was taken; set input: normalised, or layer to the logarithms")  # fmt: skip
    elif s.input == "normalised" and not (whole or alike) and most < LOG_MOST:
        found = (f"fractions up to {most:.4g} whose sums differ by cell, as of logarithms; set input: "
                 "log, or layer to the values before the logarithm")  # fmt: skip
    else:
        return
    raise InputError(f"{source.path}: input {s.input}: found {found}")


def _judged(cells: Cells, columns: np.ndarray, source: ExpressionSource) -> np.ndarray:
    targets = target_columns(cells, columns)
    if not (targets >= 0).any():
        raise InputError(
            f"{source.path}: knock_down: found no knock-down or knock-out of a measured gene to judge; "
            "set perturbation_type or keys.type, or knock_down: null"
        )
    return targets


def _check_values(x: sparse.csr_matrix, a: int, kind: str, split: np.ndarray, source) -> None:
    values, row_of = x.data, np.repeat(np.arange(x.shape[0]), np.diff(x.indptr))
    used = split[row_of] >= 0
    faults = {
        "not finite": (~np.isfinite(values), "repair them in the source"),
        "negative": (values < 0, "choose a layer of counts or logarithms, not of scaled values"),
    }
    if kind == "counts":
        faults["no integers"] = (values % 1 != 0, "input counts takes integers: set input: log or "
                                 "normalised, or layer to the counts")  # fmt: skip
    if kind == "log":
        faults["above 20"] = (values > LOG_MOST, "input log takes logarithms: set input: counts or "
                              "normalised, or layer to the logarithms")  # fmt: skip
    for what, (bad, fix) in faults.items():
        bad &= used
        if bad.any():
            first = int(np.flatnonzero(bad)[0])
            cell = a + int(row_of[first])
            raise InputError(
                f"{source.path}: {int(bad.sum())} values in cells {a} to {a + x.shape[0] - 1} are "
                f"{what}, e.g. {values[first]:g} in cell {source.names(cell, cell + 1)[0]!r}; {fix}"
            )


def _digests(x: sparse.csr_matrix) -> np.ndarray:
    """A sum over a cell's values of a mix of column and value (splitmix64); order does not matter."""
    bits = x.data.view(np.uint32).astype(np.uint64) << np.uint64(32) | x.indices.astype(np.uint64)
    with np.errstate(over="ignore"):
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        ends = np.concatenate([np.zeros(1, np.uint64), np.cumsum(bits, dtype=np.uint64)])
        return ends[x.indptr[1:]] - ends[x.indptr[:-1]]


def _linear(x: sparse.csr_matrix, kind: str, totals: np.ndarray) -> sparse.csr_matrix:
    """Expression before the logarithm, float64; counts as shares of their cell's total."""
    data = x.data.astype(np.float64)
    if kind == "log":
        data = np.expm1(data)
    elif kind == "counts":
        data /= np.repeat(np.maximum(totals, 1), np.diff(x.indptr))
    return sparse.csr_matrix((data, x.indices, x.indptr), x.shape)


def _gather(
    s: Survey, linear: sparse.csr_matrix, rows: slice, cells: Cells, targets: np.ndarray
) -> None:
    fitted = linear[s.fitted[rows]]
    # add.at goes on from the running sum, value by value: how rows fall into blocks changes no bit
    np.add.at(s.sums, fitted.indices, fitted.data)
    np.add.at(s.squares, fitted.indices, fitted.data**2)
    s.cells_of += np.bincount(fitted.indices, minlength=len(s.sums))
    if not targets.shape[1]:
        return
    control = s.fitted[rows] & cells.control[rows]
    for context in np.unique(cells.context[rows][control]):
        picked = linear[control & (cells.context[rows] == context)]
        np.add.at(s.control_sums[context], picked.indices, picked.data)
        s.control_counts[context] += picked.shape[0]
    column = targets[np.maximum(cells.condition[rows], 0)]
    row, k = np.nonzero((column >= 0) & (cells.condition[rows] > 0)[:, None])
    s.targets[row + rows.start, k] = np.asarray(linear[row, column[row, k]]).reshape(-1)


def target_columns(cells: Cells, columns: np.ndarray) -> np.ndarray:
    """Columns of the genes that each condition knocks down or out, -1 = none: int64 (conditions, K)."""
    place = {name: i for i, name in enumerate(cells.genes) if columns[i]}
    width = max(map(len, cells.conditions))
    found = np.full((len(cells.conditions), width), -1, np.int64)
    for i, parts in enumerate(cells.conditions):
        for k, part in enumerate(parts):
            if part.type in ("knockdown", "knockout"):
                found[i, k] = place.get(part.gene, -1)
    return found
