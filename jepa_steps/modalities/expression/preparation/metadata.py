"""The tables of the prepared store: cells, genes, perturbations and the features of their genes."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from ....data.splits import SPLITS
from ....data.targets import PREFIX
from ....files import write_csv
from ..dataset import ExpressionDataset
from ..encoding import FIRST_GENE, Vocabulary, expression_loadings, read_features
from ..sources.source import Column, ExpressionSource
from ..store import FIELDS
from .labels import CONTROL, Cells, Part, name_of
from .preprocess import Transform
from .splits import subgroups

_NAMES = 16_384  # cells whose names are read at once


def _joined(values: list) -> str:
    return "+".join(str(value).removesuffix(".0") for value in values)


def condition_key(parts: tuple[Part, ...]) -> dict[str, str]:
    """Perturbation, type and dose of a condition as splits.csv has them; together they name it."""
    return {
        "perturbation": name_of(parts),
        "type": _joined([part.type for part in parts]),
        "dose": _joined([part.dose for part in parts]),
    }


def write_cells(
    path: Path,
    source: ExpressionSource,
    cells: Cells,
    rows: np.ndarray,
    split: np.ndarray,
    group: list[str],
    targets: dict[str, Column],
) -> None:
    """splits.csv of cells ``rows`` int64 (n,) of the source; label is the number of the perturbation, 0
    for control. ``targets``: further columns of all cells of the source, by name."""
    keys = [condition_key(parts) for parts in cells.conditions]
    label = {name: i for i, name in enumerate(class_names(cells))}
    names = _names(source, rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*FIELDS, *(PREFIX + name for name in targets)])
        for i, (row, part, unit, name) in enumerate(
            zip(rows.tolist(), split, group, names, strict=True)
        ):
            key = keys[cells.condition[row]]
            writer.writerow([
                i, SPLITS[part], label[key["perturbation"]], name, unit, key["perturbation"],
                cells.contexts[cells.context[row]], cells.batches[cells.batch[row]], key["dose"],
                key["type"], *(column.text(row) for column in targets.values()),
            ])  # fmt: skip


def _names(source: ExpressionSource, rows: np.ndarray) -> Iterator[str]:
    """Names of the cells ``rows``, which ascend within each part, without holding all names."""
    start, held = 0, []
    for row in rows.tolist():
        if not start <= row < start + len(held):
            start = row - row % _NAMES
            held = source.names(start, min(start + _NAMES, source.cells))
        yield held[row - start]


def class_names(cells: Cells) -> list[str]:
    """Names of the labels in splits.csv: control, then the perturbations in order."""
    return [CONTROL, *sorted({condition_key(parts)["perturbation"] for parts in cells.conditions[1:]})]


def write_genes(path: Path, cells: Cells, transform: Transform, sums: np.ndarray, n: int) -> None:
    """genes.csv: why each gene is kept, and mean and standard deviation of its stored expression over
    the ``n`` training cells, from ``sums`` float64 (2, g) of values and squares."""
    mean = sums[0] / n
    std = np.sqrt(np.maximum(sums[1] / n - mean**2, 0))
    texts = ["" if np.isnan(d) else repr(float(d)) for d in transform.dispersion]
    rows = zip(
        [cells.genes[c] for c in transform.columns], transform.columns.tolist(),
        transform.variable.astype(int).tolist(), transform.perturbed.astype(int).tolist(),
        mean.tolist(), std.tolist(), texts, strict=True,
    )  # fmt: skip
    write_csv(
        path, ("gene", "source_column", "variable", "perturbed", "mean", "std", "dispersion"), rows
    )


def perturbation_table(
    cells: Cells, split: np.ndarray, vocabulary: Vocabulary, transform: Transform
) -> dict[str, Any]:
    """perturbations.json: the vocabulary, the conditions, what each perturbation is to training."""
    column = {cells.genes[c]: i for i, c in enumerate(transform.columns)}
    genes = [*vocabulary.genes, *vocabulary.held_out]
    return {
        "control": 0,
        "genes": list(vocabulary.genes),
        "held_out": list(vocabulary.held_out),
        "types": list(vocabulary.types),
        "columns": {gene: column.get(gene) for gene in genes},
        "conditions": [
            {**condition_key(parts), "parts": [list(part) for part in parts]}
            for parts in cells.conditions
        ],
        "perturbations": subgroups(cells, split),
    }


def write_features(
    folder: Path,
    vocabulary: Vocabulary,
    cells: Cells,
    transform: Transform,
    sample: sparse.csr_matrix,
    dataset: ExpressionDataset,
) -> int:
    """gene_features.npy, float32 (slots of vocabulary and held-out genes, F); returns the genes known.

    Rows of control, unknown, and genes without features are zero; F is 0 with gene_features none.
    ``sample``: training cells, as stored.
    """
    genes = [*vocabulary.genes, *vocabulary.held_out]
    if dataset.gene_features == "none":
        known, found = np.zeros((len(genes), 0)), 0
    elif dataset.gene_features_path:
        known, found = read_features(Path(dataset.gene_features_path), genes)
    else:
        loadings = expression_loadings(sample, dataset.gene_feature_dim)
        column = {cells.genes[c]: i for i, c in enumerate(transform.columns)}
        places = [column.get(gene, -1) for gene in genes]
        known = np.array([loadings[p] if p >= 0 else np.zeros(loadings.shape[1]) for p in places])
        found = sum(p >= 0 for p in places)
    features = np.zeros((FIRST_GENE + len(genes), known.shape[1]), np.float32)
    features[FIRST_GENE:] = known
    np.save(folder / "gene_features.npy", features)
    return found
