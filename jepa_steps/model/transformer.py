"""The one transformer of the project, and fixed position codes.

Shapes: B samples, N tokens, S skipped tokens, D width, A attention heads.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Attention(nn.Module):
    """Multi-head self-attention through ``scaled_dot_product_attention``."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x_BND: Tensor, mask: Tensor | None = None, skip: int = 0) -> Tensor:
        """What tokens ``skip`` and later (B, N - S, D) gather from all N tokens."""
        B, N, D = x_BND.shape
        qkv = self.qkv(x_BND).view(B, N, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        if mask is not None and mask.shape[-2] > 1:
            mask = mask[..., skip:, :]
        x = F.scaled_dot_product_attention(q[:, :, skip:], k, v, attn_mask=mask)
        return self.proj(x.transpose(1, 2).reshape(B, N - skip, D))


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, dim: int, heads: int, mlp_ratio: float):
        super().__init__()
        hidden = int(dim * mlp_ratio)
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.attention = Attention(dim, heads)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))

    def forward(self, x_BND: Tensor, mask: Tensor | None = None, skip: int = 0) -> Tensor:
        x = x_BND[:, skip:] + self.attention(self.norm1(x_BND), mask, skip)
        return x + self.mlp(self.norm2(x))


class Transformer(nn.Module):
    """``depth`` blocks and a final LayerNorm, or none; (B, N, D) -> (B, N - S, D).

    A bool mask says which tokens (columns) a token (row) attends to, all if None: (N, N) for all
    samples, or (B, 1, 1, N) for all tokens of each. The first ``skip`` tokens (S) are attended to, but
    the last block does not compute what becomes of them.

    Attributes:
        recompute: keep block inputs only and compute activations again in the backward pass.
    """

    recompute = False

    def __init__(self, dim: int, depth: int, heads: int, mlp_ratio: float, final_norm: bool = True):
        super().__init__()
        self.blocks = nn.ModuleList(Block(dim, heads, mlp_ratio) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6) if final_norm else nn.Identity()

    def forward(self, x_BND: Tensor, mask: Tensor | None = None, skip: int = 0) -> Tensor:
        """Tokens ``skip`` and later (B, N - S, D)."""
        x = x_BND
        for block in self.blocks:
            inputs = (x, mask, skip if block is self.blocks[-1] else 0)
            if self.recompute and torch.is_grad_enabled():
                x = checkpoint(block, *inputs, use_reentrant=False, preserve_rng_state=False)
            else:
                x = block(*inputs)
        return self.norm(x)

    def layers(self, x_BND: Tensor, count: int, mask: Tensor | None = None) -> list[Tensor]:
        """The normalised outputs of the last ``count`` blocks, (B, N, D) each; the last is forward's.
        Without blocks that alone."""
        outputs = [] if self.blocks else [x_BND]
        for block in self.blocks:
            x_BND = block(x_BND, mask)
            outputs.append(x_BND)
        return [self.norm(x) for x in outputs[-count:]]


def initialise(module: nn.Module) -> None:
    """Xavier-uniform weights (as MAE), zero biases; residual outputs over sqrt(2 * block number).

    A fixed std of 0.02 suits width 768 only: at width 64 blocks start as near-identities. The depth
    scaling comes last, so that nothing overwrites it.
    """
    for m in module.modules():
        if isinstance(m, nn.Linear):
            nn.init.xavier_uniform_(m.weight)
            if m.bias is not None:
                nn.init.zeros_(m.bias)
    with torch.no_grad():
        for m in module.modules():
            if isinstance(m, Transformer):
                for number, block in enumerate(m.blocks, 1):
                    block.attention.proj.weight.div_((2.0 * number) ** 0.5)
                    block.mlp[-1].weight.div_((2.0 * number) ** 0.5)
