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

    A token that holds no value of its sample (the padding of a short series) is not attended to, and
    comes out as the mean of the sample's others, so that means over tokens are over what was measured.

    Args:
        tokenizer: ``tokenizer(x, keep)`` is (B, K, D); it says its ``dim`` and ``grid`` and has a
            ``scale_input`` for the weights that meet the data, which other initial weights do not suit.
            Where tokens may be empty, ``present(x, keep)`` is bool (B, K), or None: all hold values.
        final_norm: False leaves tokens as the last block gives them; what the tokenizer says of values
            then stands in them on a linear path.
        runs: tokens attend to each other within as many equal runs of the tokens, each by itself; the
            tokens that are kept must come in such runs. 1 = all to all.
    """

    def __init__(
        self,
        tokenizer: nn.Module,
        depth: int,
        heads: int,
        mlp_ratio: float = 4.0,
        final_norm: bool = True,
        runs: int = 1,
    ):
        super().__init__()
        self.runs = runs
        self.tokenizer, self.dim, self.grid = tokenizer, tokenizer.dim, tokenizer.grid
        self.register_buffer("positions", sincos_positions(self.grid, self.dim), persistent=False)
        self.transformer = Transformer(self.dim, depth, heads, mlp_ratio, final_norm)
        initialise(self)
        tokenizer.scale_input()

    def keep_positions(self, codes_ND: Tensor | None = None) -> None:
        """Make position codes part of the weights that are stored; those given, where there are any."""
        codes_ND = self.positions if codes_ND is None else codes_ND.to(self.positions)
        self.register_buffer("positions", codes_ND, persistent=True)

    @property
    def tokens(self) -> int:
        """N, tokens of a sample."""
        return math.prod(self.grid)

    def _present(self, x: Tensor, keep_BK: Tensor | None) -> Tensor | None:
        present = getattr(self.tokenizer, "present", None)
        return None if present is None else present(x, keep_BK)

    def forward(self, x: Tensor, keep_BK: Tensor | None = None) -> Tensor:
        """Token embeddings (B, K, D) of the tokens in ``keep_BK``, or of all N tokens."""
        positions = self.positions if keep_BK is None else self.positions[keep_BK]
        tokens_BKD, present_BK = self.tokenizer(x, keep_BK) + positions, self._present(x, keep_BK)
        if self.runs > 1:
            return self.transformer(self._run_by_run(tokens_BKD)).reshape(tokens_BKD.shape)
        if present_BK is None:
            return self.transformer(tokens_BKD)
        return _filled(self.transformer(tokens_BKD, _attended(present_BK)), present_BK)

    def layers(self, x: Tensor, count: int) -> list[Tensor]:
        """Token embeddings (B, N, D) of the last ``count`` blocks, all but the last before the end."""
        tokens_BND, present_BN = self.tokenizer(x) + self.positions, self._present(x, None)
        if self.runs > 1:
            layers = self.transformer.layers(self._run_by_run(tokens_BND), count)
            return [layer.reshape(tokens_BND.shape) for layer in layers]
        if present_BN is None:
            return self.transformer.layers(tokens_BND, count)
        layers = self.transformer.layers(tokens_BND, count, _attended(present_BN))
        return [_filled(layer_BND, present_BN) for layer_BND in layers]

    def _run_by_run(self, tokens_BKD: Tensor) -> Tensor:
        B, K, D = tokens_BKD.shape
        return tokens_BKD.reshape(B * self.runs, K // self.runs, D)


def _attended(present_BK: Tensor) -> Tensor:
    """Mask (B, 1, 1, K) of the tokens that are attended to; all of a sample that has none."""
    return (present_BK | ~present_BK.any(1, keepdim=True))[:, None, None]


def _filled(tokens_BKD: Tensor, present_BK: Tensor) -> Tensor:
    """Tokens in which the empty ones are the mean of the others of their sample."""
    weight_BK1 = present_BK[..., None].to(tokens_BKD.dtype)
    count_B11 = weight_BK1.sum(1, keepdim=True).clamp(min=1)
    mean_B1D = (tokens_BKD * weight_BK1).sum(1, keepdim=True) / count_B11
    return torch.where(present_BK[..., None], tokens_BKD, mean_B1D)


def as_tensor(samples: np.ndarray | Tensor) -> Tensor:
    """A tensor, or a copy of an array as one."""
    return samples if isinstance(samples, Tensor) else torch.from_numpy(np.array(samples))
