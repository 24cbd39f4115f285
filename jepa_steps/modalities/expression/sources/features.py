"""Which columns of a matrix are genes: guide and antibody counts, and statistics of cells, are none."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy import sparse

from ....errors import InputError
from .source import ExpressionSource, block

TYPE_COLUMNS = ("feature_types", "feature_type")
_EXPRESSION = "gene expression"
# What scanpy, Seurat, Scrublet and sample sheets say of a cell, and a CSV of both mixes with genes.
CELL_STATISTICS = {
    *("n_counts", "n_genes", "n_genes_by_counts", "total_counts", "log1p_total_counts", "n_umi", "numi"),
    *("log1p_n_genes_by_counts", "pct_counts_mt", "total_counts_mt", "log1p_total_counts_mt"),
    *("percent_mito", "percent_mt", "percent.mt", "percent.mito", "mito_frac", "pct_mito", "umi_count"),
    *("ncount_rna", "nfeature_rna", "doublet_score", "s_score", "g2m_score", "s.score", "g2m.score"),
    *("age", "cluster", "cluster_id", "clusters", "donor", "donor_id", "patient", "patient_id", "sex"),
    *("leiden", "louvain", "seurat_clusters", "umap_1", "umap_2", "size_factor", "size_factors"),
}


def genes_only(source: ExpressionSource) -> ExpressionSource:
    """The source without columns that are no genes; ``left_out`` counts them by what they are.

    Guide counts tell the perturbation, so an encoder that is given them scores perfectly on noise.

    Raises:
        InputError: feature types without "Gene Expression" among them.
    """
    names = source.genes["index"]
    kinds = source.types or [""] * len(names)
    if source.types and _EXPRESSION not in map(str.casefold, kinds):
        found = ", ".join(map(repr, sorted(set(kinds))))
        raise InputError(
            f"{source.path}: feature types: found {found}, expected 'Gene Expression' for those that "
            "are genes; correct the types, or leave that column out"
        )
    reasons = [_reason(name, kind) for name, kind in zip(names, kinds, strict=True)]
    if not any(reasons):
        return source
    kept = np.flatnonzero([not reason for reason in reasons])

    def blocks() -> Iterator[sparse.csr_matrix]:
        for x in source.blocks():
            yield block(x[:, kept])

    return replace(
        source,
        genes={column: [values[i] for i in kept] for column, values in source.genes.items()},
        types=None,
        blocks=blocks,
        left_out=dict(sorted(Counter(filter(None, reasons)).items())),
    )


def _reason(name: str, kind: str) -> str:
    """What a column is if it is no gene, or nothing."""
    if kind and kind.casefold() != _EXPRESSION:
        return kind
    return f"statistic {name}" if name.casefold() in CELL_STATISTICS else ""
