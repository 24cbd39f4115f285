"""Predictors: from context tokens to the embeddings of what the context did not see.

Shapes: B samples, K context tokens, M target blocks, T tokens per block, D encoder width,
E predictor width.
"""

import torch
from torch import Tensor, nn

from .positions import sincos_positions
from .transformer import Transformer, initialise


class MaskedPredictor(nn.Module):
    """Narrow transformer over context tokens and mask tokens at target positions (I-JEPA).

    Every target block is predicted on its own: attention joins the context with one block.

    Args:
        grid: tokens along each axis.
        dim: encoder width D.
        width: predictor width E.
        shared_context: encode the context once for all blocks instead of once a block; its tokens
            then do not see mask tokens.
    """

    def __init__(
        self,
        grid: tuple[int, ...],
        dim: int,
        width: int,
        depth: int,
        heads: int,
        mlp_ratio: float,
        shared_context: bool = False,
    ):
        super().__init__()
        self.shared_context = shared_context
        self.enter = nn.Linear(dim, width)
        self.mask_token = nn.Parameter(torch.zeros(width))
        self.register_buffer("positions", sincos_positions(grid, width), persistent=False)
        self.transformer = Transformer(width, depth, heads, mlp_ratio)
        self.leave = nn.Linear(width, dim)
        initialise(self)
        nn.init.trunc_normal_(self.mask_token, std=0.02)

    def forward(self, context_BKD: Tensor, context_BK: Tensor, targets_BMT: Tensor) -> Tensor:
        """Predicted target embeddings (B, M, T, D)."""
        B, M, T = targets_BMT.shape
        K = context_BK.shape[1]
        context_BKE = self.enter(context_BKD) + self.positions[context_BK]
        queries_BMTE = self.mask_token + self.positions[targets_BMT]
        if self.shared_context:
            x = torch.cat([context_BKE, queries_BMTE.flatten(1, 2).to(context_BKE.dtype)], dim=1)
            mask = _own_block_and_context(K, M, T, x.device)
            return self.leave(self.transformer(x, mask, skip=K)).view(B, M, T, -1)
        context_BMKE = context_BKE[:, None].expand(B, M, K, -1)
        x = torch.cat([context_BMKE, queries_BMTE.to(context_BMKE.dtype)], dim=2).flatten(0, 1)
        return self.leave(self.transformer(x, skip=K)).view(B, M, T, -1)


def _own_block_and_context(K: int, M: int, T: int, device: torch.device) -> Tensor:
    """bool (K + M * T, K + M * T): every token sees the context, mask tokens their own block, too."""
    owner = torch.arange(M, device=device).repeat_interleave(T)
    owner = torch.cat([torch.full((K,), -1, device=device), owner])
    return (owner[None] == -1) | (owner[:, None] == owner[None])
