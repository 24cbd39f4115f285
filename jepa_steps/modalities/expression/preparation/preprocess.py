"""Normalisation, variable genes and filters, from what the survey of training cells measured.

Shapes: n cells of the source, G genes of the source.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ..dataset import ExpressionDataset
from .count_values import count_values
from .labels import Cells
from .survey import Survey, target_columns

COMPARED = 20  # expressed genes from which on two equal cells count as copies


def knocked_down(s: Survey, cells: Cells, split: np.ndarray, dataset: ExpressionDataset) -> np.ndarray:
    """bool (n,), cells that the knock-down filter leaves. Each part is judged by itself, against
    controls of training, so that cells of val and test move no training cell."""
    settings = dataset.knock_down
    if settings is None:
        return np.ones(len(split), bool)
    targets = target_columns(cells, np.ones(len(cells.genes), bool))
    mean = s.control_sums / np.maximum(s.control_counts, 1)[:, None]
    expected = np.where(targets >= 0, mean[:, targets.clip(0)], np.nan)  # (contexts, conditions, K)
    expected = expected[cells.context, np.maximum(cells.condition, 0)]
    with np.errstate(divide="ignore", invalid="ignore"):
        residuals = np.where(expected > 0, s.targets / expected, np.nan)
    judged = ~np.isnan(residuals)
    residual = np.where(judged, residuals, 0).sum(1) / np.maximum(judged.sum(1), 1)
    judged = judged.any(1) & (split >= 0)
    kept = np.ones(len(split), bool)
    unit = cells.condition.astype(np.int64) * 3 + split
    for u in np.unique(unit[judged]):
        rows = np.flatnonzero(judged & (unit == u))
        good = residual[rows] <= settings.cell_residual
        whole = residual[rows].mean() <= settings.perturbation_residual
        kept[rows] = good & whole & (good.sum() >= settings.min_cells)
    return kept


def copies(s: Survey, split: np.ndarray) -> np.ndarray:
    """bool (n,), cells of val and test whose expression is a training cell's in every value."""
    compared = (s.expressed >= COMPARED) & (split >= 0)
    return compared & (split > 0) & np.isin(s.digests, s.digests[compared & (split == 0)])


def target_sum(s: Survey, dataset: ExpressionDataset) -> float:
    """Total of a cell of counts after scaling; 1 where the input is not scaled."""
    if s.input != "counts":
        return 1.0
    return dataset.target_sum or float(np.median(s.totals[s.fitted]))


def dispersions(s: Survey, total: float, bins: int) -> np.ndarray:
    """Normalised dispersion of each gene, float64 (G,), NaN without variance.

    Log of variance over mean of linear expression, minus the mean and over the standard deviation of
    the genes in the same of ``bins`` equal ranges of log1p mean (Satija et al. 2015, Nature
    Biotechnology 33:495; flavour "seurat" of scanpy). A gene alone in its range gets 1.
    """
    n = int(s.fitted.sum())
    mean = s.sums * total / n
    variance = (s.squares * total**2 - n * mean**2) / max(n - 1, 1)
    mean[mean == 0] = 1e-12
    dispersion = np.full(len(mean), np.nan)
    positive = variance > 1e-14 * mean**2
    dispersion[positive] = np.log(variance[positive] / mean[positive])
    level = np.log1p(mean)
    edges = np.linspace(level.min(), level.max(), bins + 1)
    edges[0] -= (level.max() - level.min()) * 0.001
    place = np.clip(np.searchsorted(edges, level, side="left") - 1, 0, bins - 1)
    normalised = np.full(len(mean), np.nan)
    for b in np.unique(place):
        members = (place == b) & positive
        values = dispersion[members]
        if len(values) == 1:
            normalised[members] = 1.0
        elif len(values):
            with np.errstate(invalid="ignore", divide="ignore"):
                normalised[members] = (values - values.mean()) / values.std(ddof=1)
    return normalised


def variable_genes(normalised: np.ndarray, n: int) -> np.ndarray:
    """bool (G,): the ``n`` genes of highest dispersion, and those equal to the last of them; all genes
    where there are no more than ``n``, so that what training does not express is not lost in test."""
    if n >= len(normalised):
        return np.ones(len(normalised), bool)
    known = np.sort(normalised[~np.isnan(normalised)])[::-1]
    if not len(known):
        return np.zeros(len(normalised), bool)
    return np.nan_to_num(normalised, nan=-np.inf) >= known[min(n, len(known)) - 1]


@dataclass(frozen=True)
class Transform:
    """From stored values to model input: scaled to ``total``, log1p, ``columns`` only.

    variable, perturbed: bool (g,), why each of the columns int64 (g,) is kept.
    dispersion: float64 (g,), normalised; NaN without variance.
    """

    input: str
    total: float
    columns: np.ndarray
    variable: np.ndarray
    perturbed: np.ndarray
    dispersion: np.ndarray

    def __call__(self, x: sparse.csr_matrix, totals: np.ndarray) -> sparse.csr_matrix:
        """CSR float32 (rows, columns) of rows (rows, G) whose sums are ``totals``."""
        data = x.data
        if self.input == "counts":
            data = data * np.repeat(self.total / np.maximum(totals, 1), np.diff(x.indptr))
        if self.input != "log":
            data = np.log1p(data)
        y = sparse.csr_matrix((data.astype(np.float32), x.indices, x.indptr), x.shape)
        y = y[:, self.columns]
        y.sort_indices()
        return y

    def count_values(self, x: sparse.csr_matrix, totals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What one count of each cell is worth before the logarithm, float64 (rows,), and whether all
        of its values are whole counts, bool (rows,); of the same rows, with all their genes."""
        if self.input == "counts":
            return self.total / np.maximum(totals, 1), np.ones(len(totals), bool)
        linear = x.data if self.input == "normalised" else np.expm1(x.data.astype(np.float64))
        return count_values(sparse.csr_matrix((linear, x.indices, x.indptr), x.shape))


def fit_transform(s: Survey, cells: Cells, used: np.ndarray, dataset: ExpressionDataset) -> Transform:
    """The transformation of a data set: variable genes of training cells, and perturbed genes.

    Args:
        used: bool (G,), columns that may be kept.
    """
    total = target_sum(s, dataset)
    dispersion = dispersions(s, total, dataset.variable_gene_bins)
    variable = variable_genes(dispersion, dataset.n_variable_genes) & used
    hit = {part.gene for parts in cells.conditions for part in parts}
    perturbed = np.array([name in hit for name in cells.genes]) & used
    columns = np.flatnonzero(variable | perturbed)
    return Transform(s.input, total, columns, variable[columns], perturbed[columns], dispersion[columns])
