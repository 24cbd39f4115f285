"""Picking tokens by position."""

import torch
from torch import Tensor


def gather_tokens(x_BND: Tensor, index_BK: Tensor) -> Tensor:
    """Rows ``index_BK`` of every sample: (B, N, D), int64 (B, K) -> (B, K, D)."""
    return torch.take_along_dim(x_BND, index_BK[..., None], dim=1)
