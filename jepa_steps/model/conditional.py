"""Conditional predictor: from the tokens of a sample and a condition to those of the sample under it.

Shapes: B samples, K context tokens, M target blocks, T tokens per block, N tokens, C = 3 condition
tokens, D encoder width, E predictor width.
"""

import math

import torch
from torch import Tensor, nn

from .positions import sincos_positions
from .tokens import gather_tokens
from .transformer import Transformer, initialise


class ConditionalPredictor(nn.Module):
    """Context plus the change: shifts, which add up, and what a transformer adds to them.

    The first condition token is the sum of the shifts of all that is done; the second and the third, its
    kind and its strength, scale them channel by channel (FiLM, Perez et al. 2018). The transformer sees
    condition tokens, context tokens and queries; three condition tokens, since attention over a single
    one is the constant 1, whatever the sample. Inside, LayerNorm makes the sum of two shifts as large as
    one, so that combinations need the shifts beside it.

    Args:
        grid: tokens along each axis.
        dim: encoder width D.
        width: predictor width E.
        depth: blocks; 0 leaves the shifts alone.
        condition: embeds the condition that ``forward`` is told as tokens float (B, C, E).
    """

    def __init__(
        self,
        grid: tuple[int, ...],
        dim: int,
        width: int,
        depth: int,
        heads: int,
        mlp_ratio: float,
        condition: nn.Module,
    ):
        super().__init__()
        self.embedding = condition
        self.shift = nn.Linear(width, math.prod(grid) * dim, bias=False)
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
        """Predicted tokens (B, M, T, D) of the sample under the condition.

        Args:
            context_BKD: all tokens of the sample without the condition, in order (K = N).
            context_BK: int64, their positions.
            targets_BMT: int64, positions that are predicted.
            condition: what the embedding of the condition takes.
        """
        B, M, T = targets_BMT.shape
        index_BT = targets_BMT.flatten(1)
        condition_BCE = self.embedding(*condition)
        shift_BE, kind_BE, strength_BE = condition_BCE.unbind(1)
        change_BND = self.shift(shift_BE * (1 + kind_BE + strength_BE)).view(
            B, -1, context_BKD.shape[-1]
        )
        predicted_BTD = gather_tokens(context_BKD + change_BND, index_BT)
        if self.transformer is not None:
            context_BKE = self.enter(context_BKD) + self.positions[context_BK]
            parts = (condition_BCE, context_BKE, self.query + self.positions[index_BT])
            x = torch.cat([part.to(context_BKE.dtype) for part in parts], 1)
            predicted_BTD = predicted_BTD + self.leave(self.transformer(x, skip=x.shape[1] - M * T))
        return predicted_BTD.view(B, M, T, -1)
