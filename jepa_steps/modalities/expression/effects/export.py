"""Predictions as AnnData, for cell-eval and anything else that reads .h5ad."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ....errors import InputError
from .pseudobulk import Expression

if TYPE_CHECKING:
    from anndata import AnnData


def as_anndata(
    expression: Expression,
    perturbations: Sequence[str],
    genes: Sequence[str],
    control: str = "non-targeting",
    contexts: Sequence[str] | None = None,
    column: str = "target_gene",
) -> "AnnData":
    """Cells as cell-eval reads them (0.8: ``cell-eval run -ap predictions.h5ad -ar real.h5ad``).

    The defaults are cell-eval's: perturbations in obs["target_gene"], controls "non-targeting"; with
    contexts, obs["celltype"]. The real file needs the same perturbations and the same genes in the
    same order: write it with this function, too. X is float32, log-normalised, never negative (a
    linear readout can be: values below 0 become 0).

    Args:
        expression: (n, G) predicted cells and control cells, dense or CSR.
        perturbations: one name a cell. A predicted mean may be repeated, as cell-eval's own baseline
            does; its tests for differential expression need cells.

    Raises:
        InputError: anndata missing; no control cells; names that do not fit the cells.
    """
    try:
        from anndata import AnnData
        from pandas import DataFrame, Index
    except ImportError:
        raise InputError(
            "exporting predictions needs anndata; pip install 'jepa-steps[expression]'"
        ) from None
    n, g = expression.shape
    _check_names(n, g, perturbations, genes, control, contexts)
    x = expression.astype(np.float32)
    values = x if isinstance(x, np.ndarray) else x.data
    if not np.isfinite(values).all():
        raise InputError("predicted expression has values that are not finite; nothing exported")
    np.maximum(values, 0, out=values)
    if not isinstance(x, np.ndarray):
        x.eliminate_zeros()  # cell-eval's rank test refuses stored zeros
    obs = {column: [str(p) for p in perturbations]}
    if contexts is not None:
        obs["celltype"] = [str(c) for c in contexts]
    frame = DataFrame(obs, index=[f"cell{i}" for i in range(n)]).astype("category")
    return AnnData(x, obs=frame, var=DataFrame(index=Index(list(genes), dtype=str)))


def _check_names(
    n: int,
    g: int,
    perturbations: Sequence[str],
    genes: Sequence[str],
    control: str,
    contexts: Sequence[str] | None,
) -> None:
    for what, found, expected in (
        ("perturbations", len(perturbations), n),
        ("contexts", n if contexts is None else len(contexts), n),
        ("genes", len(genes), g),
        ("different genes", len(set(genes)), g),
    ):
        if found != expected:
            raise InputError(f"predictions: found {found} {what}, expected {expected}")
    if control not in set(perturbations):
        some = ", ".join(sorted({str(p) for p in perturbations})[:5])
        raise InputError(
            f"predictions: no cell is labelled {control!r}, found {some}; cell-eval needs controls, "
            "add the control cells"
        )
