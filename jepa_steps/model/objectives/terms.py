"""What objectives are made of: the views of a batch, weighted terms, and rows that must vary.

Shapes: B samples, M target blocks, T tokens per block, K context tokens, N tokens of the grid, D width,
P width after the projector (D without one).
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Views(NamedTuple):
    """What one batch gives the loss, behind the projector where there is one.

    Of tokens: prediction, target (B, M, T, P); context (B, K, P) at int64 positions context_index
    (B, K); full (B, N, P), all tokens by the trained encoder where it sees them (no EMA target).
    Pooled: prediction, target (B, P), the means of the context and of the target view; the rest None.
    """

    prediction: Tensor
    target: Tensor
    context: Tensor | None = None
    context_index: Tensor | None = None
    full: Tensor | None = None


class Term(NamedTuple):
    """A scalar of the loss: its column in metrics.csv, its value, its weight."""

    name: str
    value: Tensor
    weight: float


def full(x: Tensor) -> Tensor:
    """float32 of a half-precision tensor; float32 and float64 as they are."""
    return x if x.dtype == torch.float64 else x.float()


def between_sample_rows(tokens_BKD: Tensor, index_BK: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """What varies between samples: position-centred tokens (B*K, D) and pooled embeddings (B, D).

    Statistics over plain flattened tokens are satisfied by an encoder that codes position only;
    removing each position's mean over the batch takes that solution away.

    Args:
        tokens_BKD: embeddings of the K tokens that each sample kept.
        index_BK: int64 positions of those tokens in the grid of ``n`` tokens.
    """
    D = tokens_BKD.shape[-1]
    flat, index = full(tokens_BKD).reshape(-1, D), index_BK.reshape(-1)
    count = flat.new_zeros(n).index_add(0, index, torch.ones_like(flat[:, 0]))
    mean_ND = flat.new_zeros(n, D).index_add(0, index, flat)
    mean_ND = mean_ND / count.clamp(min=1)[:, None]
    return flat - mean_ND.index_select(0, index), full(tokens_BKD).mean(dim=1)
