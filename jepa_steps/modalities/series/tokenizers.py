"""Time series as tokens: a token is a patch of time steps, of all channels or of one.

Shapes: B samples, L time steps, C channels, N time tokens, P time steps of a patch, K kept tokens, R
rows of channels in the grid (1 where channels are mixed, C where each has tokens of its own), D width.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...model.tokens import gather_tokens
from .kernels import Kernels
from .patches import grid, patch_length
from .training import SeriesModel


def tokenizer(
    model: SeriesModel, length: int, channels: int, gaps: bool, kernels: Kernels | None
) -> nn.Module:
    """The tokenizer that settings describe, for samples (length, channels)."""
    if model.tokenizer == "patches":
        return PatchTokenizer(model, length, channels, gaps)
    return ConvolutionTokenizer(model, length, channels, gaps, kernels)


class _Patches(nn.Module):
    """What tokenizers share: the grid, and which tokens have values."""

    def __init__(self, model: SeriesModel, length: int, channels: int, gaps: bool):
        super().__init__()
        self.dim, self.grid = model.dim, grid(model, length, channels)
        self.patch, self.gaps = patch_length(model, length), gaps
        self.separate = model.channels == "separate"
        self.padding, self.tokens = self.grid[-1] * self.patch - length, math.prod(self.grid)

    def present(self, x_BLC: Tensor, keep_BK: Tensor | None = None) -> Tensor | None:
        """Tokens that hold at least one value, bool (B, K); None where all do, as in data without
        missing values and with series of one length."""
        if not self.gaps:
            return None
        known_BNRV = self.patches(~x_BLC.isnan(), False)
        return _kept(known_BNRV.any(-1), keep_BK)

    def patches(self, x_BLC: Tensor, fill: float | bool) -> Tensor:
        """(B, L, C) -> (B, tokens, values of a token)."""
        x = F.pad(x_BLC, (0, 0, 0, self.padding), value=fill)
        B, _, C = x.shape
        x_BNPC = x.view(B, -1, self.patch, C)
        if self.separate:
            return x_BNPC.permute(0, 3, 1, 2).flatten(1, 2)
        return x_BNPC.flatten(2)


def _kept(x_BN: Tensor, keep_BK: Tensor | None) -> Tensor:
    return x_BN if keep_BK is None else x_BN.gather(1, keep_BK)


class PatchTokenizer(_Patches):
    """The values of a patch through one linear map; missing ones are 0, the mean, and where there are
    any, the map sees which."""

    def __init__(self, model: SeriesModel, length: int, channels: int, gaps: bool):
        super().__init__(model, length, channels, gaps)
        values = self.patch * (1 if self.separate else channels)
        self.embed = nn.Linear(values * (2 if gaps else 1), self.dim)

    def scale_input(self) -> None:
        """Let values of mean square 1 enter on the scale of the position codes (rms 0.7)."""
        nn.init.normal_(self.embed.weight, std=(3 * self.embed.in_features) ** -0.5)

    def forward(self, x_BLC: Tensor, keep_BK: Tensor | None = None) -> Tensor:
        """(B, L, C), NaN = missing -> (B, K, D), of the tokens in ``keep_BK`` (all if None)."""
        x_BNV = self.patches(x_BLC, 0.0)
        if self.gaps:
            missing = x_BNV.isnan()
            x_BNV = torch.cat([x_BNV.masked_fill(missing, 0), missing.to(x_BNV.dtype)], 2)
        if keep_BK is not None:
            x_BNV = gather_tokens(x_BNV, keep_BK)
        return self.embed(x_BNV)


class ConvolutionTokenizer(_Patches):
    """Answers of random kernels, averaged over the steps of a patch, and the patch itself, each through
    a linear map.

    The kernels stay as they were drawn; see ``kernels.Kernels``. The map of the patch lets a token say
    what its values were, which the answers, blind to offsets, do not.
    """

    def __init__(self, model: SeriesModel, length: int, channels: int, gaps: bool, kernels: Kernels):
        super().__init__(model, length, channels, gaps)
        self.kernels = kernels
        self.embed = nn.Linear(model.kernels, self.dim)
        self.values = PatchTokenizer(model, length, channels, gaps)

    def scale_input(self) -> None:
        """Let standardised answers and values enter on the scale of the position codes (rms 0.7)."""
        nn.init.normal_(self.embed.weight, std=(3 * self.embed.in_features) ** -0.5)
        self.values.scale_input()

    def forward(self, x_BLC: Tensor, keep_BK: Tensor | None = None) -> Tensor:
        """(B, L, C), NaN = missing -> (B, K, D), of the tokens in ``keep_BK`` (all if None): time steps
        of other tokens are 0, the mean, to the kernels."""
        answers_BNK = self.kernels(self._shown(x_BLC, keep_BK), self.grid[-1], self.patch)
        if keep_BK is not None:
            answers_BNK = gather_tokens(answers_BNK, keep_BK)
        return self.embed(answers_BNK) + self.values(x_BLC, keep_BK)

    def _shown(self, x_BLC: Tensor, keep_BK: Tensor | None) -> Tensor:
        """Values of which those of tokens that are not kept are 0."""
        if keep_BK is None or keep_BK.shape[1] == self.tokens:
            return x_BLC
        B, L, C = x_BLC.shape
        hidden_BN = torch.ones(B, self.tokens, dtype=torch.bool, device=x_BLC.device)
        hidden_BN = hidden_BN.scatter(1, keep_BK, False)
        if not self.separate:
            return x_BLC.masked_fill(hidden_BN.repeat_interleave(self.patch, 1)[:, :L, None], 0)
        hidden_BCL = hidden_BN.view(B, C, -1).repeat_interleave(self.patch, 2)[:, :, :L]
        return x_BLC.masked_fill(hidden_BCL.transpose(1, 2), 0)
