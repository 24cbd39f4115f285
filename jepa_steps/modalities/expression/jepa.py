"""The module that is trained on cells.

Shapes: G genes, F features of a perturbed gene.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from ...config.predictor import sized
from ...model.conditional import ConditionalPredictor
from ...model.jepa import Jepa, build_jepa
from ...model.predictor import MaskedPredictor
from .encoder import build_encoder
from .encoding import Vocabulary, read_vocabulary
from .modules import modules_of
from .perturbation_embedding import PerturbationEmbedding
from .settings import ExpressionJepa
from .store import ExpressionStore


def cell_jepa(
    train: ExpressionJepa,
    genes: int,
    modules: Sequence[np.ndarray] | None,
    vocabulary: Vocabulary,
    features: np.ndarray,
) -> Jepa:
    """Perturbed cells, hidden modules of genes, or other counts of a cell are predicted; weights by
    ``train.seed``.

    Args:
        genes, modules: as ``build_encoder`` takes them.
        vocabulary: of perturbations; features: float32 (slots with those held out, F), empty for none.
    """
    encoder, p = build_encoder(train, genes, modules), sized(train.predictor, train.model)

    def predictor() -> nn.Module:
        shape = (encoder.grid, encoder.dim, p.dim, p.depth, p.heads, train.model.mlp_ratio)
        if train.task != "perturbation":
            return MaskedPredictor(*shape)
        described = torch.from_numpy(features) if features.size else None
        slots, types = vocabulary.slots, len(vocabulary.types)
        return ConditionalPredictor(*shape, PerturbationEmbedding(slots, types, p.dim, described))

    return build_jepa(train, encoder, predictor)


def jepa_for(train: ExpressionJepa, store: ExpressionStore) -> Jepa:
    """The module that is trained on the cells of ``store``, with initial weights."""
    vocabulary, _ = read_vocabulary(store.perturbations)
    modules = modules_of(store, train.model)
    return cell_jepa(train, len(store.genes), modules, vocabulary, store.features)
