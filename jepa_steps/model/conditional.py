"""Conditional predictor: from the tokens of a cell and a perturbation to those of the perturbed cell.

Shapes: B cells, K context tokens, M target blocks, T tokens a block, N tokens, C = 3 condition tokens,
S entries of a perturbation, D encoder width, E predictor width.
"""

import torch
from torch import Tensor, nn

from .perturbation import PerturbationEmbedding
from .tokenizers import gather_tokens
from .transformer import Transformer, initialise, sincos_positions


class ConditionalPredictor(nn.Module):
    """Transformer over condition tokens, context tokens and queries, that predicts the change.

    Three condition tokens: attention over a single one is the constant 1, whatever the cell.

    Args:
        grid: tokens (rows, columns).
        dim: encoder width D.
        embedding: of perturbations, at width E.
    """

    def __init__(
        self,
        grid: tuple[int, int],
        dim: int,
        embedding: PerturbationEmbedding,
        depth: int,
        heads: int,
        mlp_ratio: float = 4.0,
    ):
        super().__init__()
        width = embedding.genes.embedding_dim
        self.embedding = embedding
        self.enter = nn.Linear(dim, width)
        self.query = nn.Parameter(torch.zeros(width))
        self.register_buffer("positions", sincos_positions(grid, width), persistent=False)
        self.transformer = Transformer(width, depth, heads, mlp_ratio)
        self.leave = nn.Linear(width, dim)
        initialise(self)
        nn.init.trunc_normal_(self.query, std=0.02)

    def forward(
        self, context_BKD: Tensor, context_BK: Tensor, targets_BMT: Tensor, *condition: Tensor
    ) -> Tensor:
        """Predicted tokens (B, M, T, D) of the perturbed cell.

        Args:
            context_BKD: all tokens of the unperturbed cell, in order (K = N).
            context_BK: int64, their positions.
            targets_BMT: int64, positions that are predicted.
            condition: what ``PerturbationEmbedding`` takes.
        """
        B, M, T = targets_BMT.shape
        condition_BCE = self.embedding(*condition)
        context_BKE = self.enter(context_BKD) + self.positions[context_BK]
        queries_BTE = self.query + self.positions[targets_BMT.flatten(1)]
        x = torch.cat(
            [part.to(context_BKE.dtype) for part in (condition_BCE, context_BKE, queries_BTE)], 1
        )
        change = self.leave(self.transformer(x, skip=x.shape[1] - M * T))
        return (gather_tokens(context_BKD, targets_BMT.flatten(1)) + change).view(B, M, T, -1)
