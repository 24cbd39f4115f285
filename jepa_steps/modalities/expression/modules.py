"""Genes that vary together, as modules of equal size: the tokens of a cell.

Shapes: G genes, F loadings of a gene, N modules, P genes of the largest module.
"""

import numpy as np

from ...draws import evenly
from ...errors import InputError
from .encoding import expression_loadings
from .settings import ExpressionModel
from .store import ExpressionStore

_CELLS, _LOADINGS = 4096, 32  # training cells behind the components, and how many of these


def modules_of(store: ExpressionStore, model: ExpressionModel) -> list[np.ndarray] | None:
    """The modules of genes that are the tokens of an encoder; None where tokens are none.

    Raises:
        InputError: more tokens than genes.
    """
    if model.tokenizer != "modules":
        return None
    if model.tokens > len(store.genes):
        raise InputError(
            f"model.tokens: found {model.tokens}, expected at most {len(store.genes)}, the genes"
        )
    train = store.rows("train")
    some = evenly(train, _CELLS)
    return gene_modules(expression_loadings(store.csr.matrix(some), _LOADINGS), model.tokens)


def gene_modules(loadings_GF: np.ndarray, count: int) -> list[np.ndarray]:
    """Columns int64 of each of ``count`` modules, together 0 to G - 1; sizes differ by at most one.

    Genes are halved along the axis on which their loadings spread most, and the halves again: a
    balanced principal direction tree (Boley 1998, Data Mining and Knowledge Discovery 2), which needs
    no random start. Neighbours in the list come from the same branch.

    Args:
        loadings_GF: from training cells only, e.g. ``encoding.expression_loadings``.

    Raises:
        ValueError: fewer genes than modules.
    """
    if not 1 <= count <= len(loadings_GF):
        raise ValueError(f"{count} modules of {len(loadings_GF)} genes")
    sizes = [len(part) for part in np.array_split(np.arange(len(loadings_GF)), count)]
    return _halved(loadings_GF.astype(np.float64), np.arange(len(loadings_GF)), sizes)


def _halved(loadings_GF: np.ndarray, genes: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    if len(sizes) == 1:
        return [np.sort(genes)]
    own = loadings_GF[genes] - loadings_GF[genes].mean(0)
    axis = np.linalg.svd(own, full_matrices=False)[2][0]
    axis *= np.sign(axis[np.abs(axis).argmax()])  # the sign of a singular vector is arbitrary
    order = genes[np.argsort(own @ axis, kind="stable")]
    half = len(sizes) // 2
    cut = sum(sizes[:half])
    left = _halved(loadings_GF, order[:cut], sizes[:half])
    return left + _halved(loadings_GF, order[cut:], sizes[half:])
