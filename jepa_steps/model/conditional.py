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
    """Context plus the change: genes' own shifts, which add up, and what a transformer adds to them.

    Type and dose scale the shifts channel by channel (FiLM, Perez et al. 2018). The transformer sees
    condition tokens, context tokens and queries; three condition tokens, since attention over a single
    one is the constant 1, whatever the cell. Inside, LayerNorm makes the sum of two genes as large as
    one, so that combinations need the shifts beside it.

    Args:
        grid: tokens (rows, columns).
        dim: encoder width D.
        embedding: of perturbations, at width E.
        depth: blocks; 0 leaves the shifts alone.
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
        self.shift = nn.Linear(width, grid[0] * grid[1] * dim, bias=False)
        self.transformer = None
        if not depth:
            nn.init.zeros_(self.shift.weight)
            return
        self.enter = nn.Linear(dim, width)
        self.query = nn.Parameter(torch.zeros(width))
        self.register_buffer("positions", sincos_positions(grid, width), persistent=False)
        self.transformer = Transformer(width, depth, heads, mlp_ratio)
        self.leave = nn.Linear(width, dim)
        initialise(self)
        nn.init.zeros_(self.shift.weight)
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
        index_BT = targets_BMT.flatten(1)
        condition_BCE = self.embedding(*condition)
        genes_BE, kinds_BE, dose_BE = condition_BCE.unbind(1)
        change_BND = self.shift(genes_BE * (1 + kinds_BE + dose_BE)).view(B, -1, context_BKD.shape[-1])
        predicted_BTD = gather_tokens(context_BKD + change_BND, index_BT)
        if self.transformer is not None:
            context_BKE = self.enter(context_BKD) + self.positions[context_BK]
            parts = (condition_BCE, context_BKE, self.query + self.positions[index_BT])
            x = torch.cat([part.to(context_BKE.dtype) for part in parts], 1)
            predicted_BTD = predicted_BTD + self.leave(self.transformer(x, skip=x.shape[1] - M * T))
        return predicted_BTD.view(B, M, T, -1)
