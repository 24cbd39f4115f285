"""AdamW with decay on matrices only, and the EMA of the target encoder."""

import torch
from torch import nn

from ..config import Optimizer


def adamw(module: nn.Module, settings: Optimizer) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019) over the trained parameters of ``module``.

    Biases, norms and tokens (fewer than two dimensions) are not decayed.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas, fused=True)


@torch.no_grad()
def update_ema(target: nn.Module, online: nn.Module, momentum: float) -> None:
    """target = momentum * target + (1 - momentum) * online; buffers are copied."""
    torch._foreach_lerp_(
        list(target.parameters()), [p.detach() for p in online.parameters()], 1 - momentum
    )
    for ours, theirs in zip(target.buffers(), online.buffers(), strict=True):
        ours.copy_(theirs)
