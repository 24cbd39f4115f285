"""The encoder: tokenizer, position codes, transformer.

Shapes: B samples, N tokens, K kept tokens, D width.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from .positions import sincos_positions
from .transformer import Transformer, initialise


class TokenEncoder(nn.Module):
    """Transformer without a class token; fixed sine-cosine positions, final LayerNorm.

    Args:
        tokenizer: ``tokenizer(x, keep)`` is (B, K, D); it says its ``dim`` and ``grid`` and has a
            ``scale_input`` for the weights that meet the data, which other initial weights do not suit.
    """

    def __init__(self, tokenizer: nn.Module, depth: int, heads: int, mlp_ratio: float = 4.0):
        super().__init__()
        self.tokenizer, self.dim, self.grid = tokenizer, tokenizer.dim, tokenizer.grid
        self.register_buffer("positions", sincos_positions(self.grid, self.dim), persistent=False)
        self.transformer = Transformer(self.dim, depth, heads, mlp_ratio)
        initialise(self)
        tokenizer.scale_input()

    @property
    def tokens(self) -> int:
        """N, tokens of a sample."""
        return math.prod(self.grid)

    def forward(self, x: Tensor, keep_BK: Tensor | None = None) -> Tensor:
        """Token embeddings (B, K, D) of the tokens in ``keep_BK``, or of all N tokens."""
        positions = self.positions if keep_BK is None else self.positions[keep_BK]
        return self.transformer(self.tokenizer(x, keep_BK) + positions)

    def layers(self, x: Tensor, count: int) -> list[Tensor]:
        """Token embeddings (B, N, D) of the last ``count`` blocks, all but the last before the end."""
        return self.transformer.layers(self.tokenizer(x) + self.positions, count)


def as_tensor(samples: np.ndarray | Tensor) -> Tensor:
    """A tensor, or a copy of an array as one."""
    return samples if isinstance(samples, Tensor) else torch.from_numpy(np.array(samples))
