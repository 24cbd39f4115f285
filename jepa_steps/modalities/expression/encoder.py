"""Gene expression as an encoder takes it, and the encoder.

Shapes: B cells, G genes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from ...errors import InputError
from ...model.encoder import TokenEncoder, as_tensor
from ...model.seeded import seeded
from .dataset import LOG_MOST
from .modules import modules_of
from .settings import ExpressionJepa, UntrainedCells
from .standardise import Standardisation, common_scale
from .store import ExpressionStore
from .tokenizers import MlpTokenizer, ModuleTokenizer

VALUES = "log1p of normalised expression"


def describe(train: object, store: ExpressionStore) -> dict[str, Any]:
    """The part of ``encoder.json`` that tells inputs, preprocessing and the modules of genes.

    Raises:
        InputError: more tokens than genes.
    """
    found = {
        "genes": store.genes,
        "mean": store.mean.tolist(),
        "scale": common_scale(store.std),
        "input": {**store.manifest["input"], "values": VALUES},
    }
    if isinstance(train, ExpressionJepa | UntrainedCells):
        modules = modules_of(store, train.model)
        found["modules"] = modules and [columns.tolist() for columns in modules]
    return found


class CellInputs:
    """Expression float32 (B, G) as prepared: the genes of encoder.json, normalised and logarithmic ->
    standardised float32 (B, G)."""

    def __init__(self, description: dict[str, Any], device: str):
        self.genes = description["genes"]
        self.values = len(self.genes)
        self._standardise = Standardisation(description["mean"], description["scale"], device)

    def __call__(self, expression: np.ndarray | Tensor) -> Tensor:
        x = as_tensor(expression)
        if not x.is_floating_point() or x.ndim != 2 or x.shape[1] != self.values:
            raise InputError(
                f"expression: found {x.dtype} {tuple(x.shape)}, expected float32 (B, {self.values}), "
                "the genes of encoder.json in their order"
            )
        if x.device.type == "cpu" and len(x) and _is_not_logarithmic(x):
            raise InputError(
                f"expression: found values up to {float(x.max()):g}, expected {VALUES}: counts over "
                "their cell's total, times target_sum of encoder.json, then log1p"
            )
        return self._standardise(x.float())


def _is_not_logarithmic(x: Tensor) -> bool:
    """Whether values are above what logarithms reach, or whole numbers that are not all 0; the first
    cells tell these."""
    some = x[:64]
    return float(x.max()) > LOG_MOST or bool(some.any() and not (some % 1).any())


def inputs(description: dict[str, Any], device: str = "cpu") -> CellInputs:
    """The preprocessing that an ``encoder.json`` describes."""
    return CellInputs(description, device)


def encoder(train: ExpressionJepa | UntrainedCells, description: dict[str, Any]) -> TokenEncoder:
    """The encoder with initial weights that depend on ``train.seed`` only."""
    modules = description["modules"] and [np.array(columns) for columns in description["modules"]]
    return build_encoder(train, len(description["genes"]), modules)


def build_encoder(
    train: ExpressionJepa | UntrainedCells, genes: int, modules: Sequence[np.ndarray] | None
) -> TokenEncoder:
    """The same for G genes.

    Args:
        modules: columns int64 of each module, for tokenizer modules.
    """
    m = train.model
    with seeded(train.seed):
        if m.tokenizer == "mlp":
            tokenizer: nn.Module = MlpTokenizer(genes, m.hidden, m.tokens, m.dim, m.linear_path)
        else:
            tokenizer = ModuleTokenizer(modules, m.dim)
        return TokenEncoder(tokenizer, m.depth, m.heads, m.mlp_ratio)
