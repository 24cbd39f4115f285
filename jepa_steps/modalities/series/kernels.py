"""Random convolution kernels whose answers describe the shape of a series (Rocket, Dempster et al.
2020).

Shapes: B samples, L time steps, C channels, N time tokens, P time steps of a patch, S of these that are
looked at, k kernels of one dilation, K kernels of all.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ... import draws

WIDTH = 9  # time steps that a kernel weighs, as in MiniRocket
LOOKS = 8  # steps of a patch, at most, at which kernels answer
_SHARPNESS = 3.0
_CALIBRATED = ("bias", "scale", "mean", "std")


class Kernels(nn.Module):
    """Kernels of dilations 1, 2, 4, ... and the averages of their answers over patches, standardised.

    An answer is sigmoid(3 (w * x - bias) / scale): its average over a patch is a soft form of the share
    of positive values of Rocket. Weights are normal, their mean taken out; of several channels a kernel
    sees a random few. bias, scale, mean and std come from training samples (``calibrated``): a kernel's
    bias is a random quantile of its own sums there.

    Args:
        number: K. seed: of the draw. separate: whether each channel is a series of its own.
        calibration: what ``calibrated`` found; None = none yet.
    """

    def __init__(
        self, number: int, length: int, channels: int, seed: int, separate: bool,
        calibration: dict[str, list[float]] | None = None,
    ):  # fmt: skip
        super().__init__()
        self.separate, inputs = separate, 1 if separate else channels
        most = max(1, (length - 1) // (WIDTH - 1))
        self.dilations = [2**i for i in range(most.bit_length())]
        generator = torch.Generator().manual_seed(draws.key(seed, "kernels") >> 1)
        shares = [number // len(self.dilations)] * len(self.dilations)
        for i in range(number - sum(shares)):
            shares[i] += 1
        for d, k in zip(self.dilations, shares, strict=True):
            self.register_buffer(f"weights_{d}", _drawn(k, inputs, generator))
        self.register_buffer("quantile", 0.1 + 0.8 * torch.rand(number, generator=generator))
        start = calibration or {"bias": [0.0], "scale": [1.0], "mean": [0.0], "std": [1.0]}
        for name in _CALIBRATED:
            self.register_buffer(name, torch.tensor(start[name]).expand(number).clone())

    def forward(self, x_BLC: Tensor, tokens: int, patch: int) -> Tensor:
        """(B, L, C), NaN = missing -> standardised averages (B, N, K), or (B, C * N, K) where each
        channel has tokens of its own; 0, the mean, of a patch without values."""
        answers, known = self._answers(x_BLC, tokens, patch)
        return torch.where(known > 0, (answers - self.mean) / self.std, 0)

    def _answers(self, x_BLC: Tensor, tokens: int, patch: int) -> tuple[Tensor, Tensor]:
        """(averages of answers (B, N, K) over the known steps of patches, number of these (B, N, 1))."""
        looks = _looks(tokens, patch)
        B, _, C = x_BLC.shape
        x_BCL = x_BLC.transpose(1, 2)
        if self.separate:
            x_BCL = x_BCL.reshape(B * C, 1, -1)
        missing = x_BCL.isnan()
        sums_BTK = self._sums(x_BCL.masked_fill(missing, 0), tokens * patch, looks)
        answers = torch.sigmoid(_SHARPNESS * (sums_BTK - self.bias) / self.scale)
        known_BT1 = _known(missing, tokens * patch)[:, looks, None].to(answers.dtype)
        known_BN1 = known_BT1.unflatten(1, (tokens, -1)).sum(2)
        mean_BNK = (answers * known_BT1).unflatten(1, (tokens, -1)).sum(2) / known_BN1.clamp(min=1)
        return mean_BNK.reshape(B, -1, mean_BNK.shape[2]), known_BN1.reshape(B, -1, 1)

    def _sums(self, x_BCL: Tensor, steps: int, looks: Tensor) -> Tensor:
        """Weighted sums (B, T, K) at the steps ``looks`` of a series padded to ``steps``. As matrix
        products of the few steps that are looked at, which on a CPU is many times faster than convolving
        all."""
        found = []
        for d in self.dilations:
            weights = getattr(self, f"weights_{d}")
            side = d * (WIDTH // 2)
            padded = F.pad(x_BCL, (side, side + steps - x_BCL.shape[2]))
            seen = padded.unfold(2, 2 * side + 1, 1)[..., ::d][:, :, looks]
            flat = seen.permute(0, 2, 1, 3).flatten(2)
            found.append(flat @ weights.flatten(1).T)
        return torch.cat(found, 2)

    @torch.no_grad()
    def calibrated(self, x_BLC: Tensor, tokens: int, patch: int) -> dict[str, list[float]]:
        """bias, scale, mean and std by normalised training samples (B, L, C): random quantiles and
        standard deviations of the sums, then means and standard deviations of the averaged answers."""
        looks = _looks(tokens, patch)
        x_BCL = x_BLC.transpose(1, 2)
        if self.separate:
            x_BCL = x_BCL.reshape(-1, 1, x_BCL.shape[2])
        missing = x_BCL.isnan()
        sums_BTK = self._sums(x_BCL.masked_fill(missing, 0), tokens * patch, looks)
        sums_nK = sums_BTK[_known(missing, tokens * patch)[:, looks]].sort(0).values
        self.scale.copy_(sums_nK.std(0, correction=0).clamp(min=1e-4))
        place = (self.quantile * (len(sums_nK) - 1)).long()
        self.bias.copy_(sums_nK.gather(0, place[None])[0])
        answers, known = self._answers(x_BLC, tokens, patch)
        found_nK = answers[known[..., 0] > 0]
        self.mean.copy_(found_nK.mean(0))
        self.std.copy_(found_nK.std(0, correction=0).clamp(min=1e-3))
        return {name: getattr(self, name).tolist() for name in _CALIBRATED}


def _looks(tokens: int, patch: int) -> Tensor:
    """The steps at which kernels answer, int64 (T,): at most ``LOOKS`` per patch, evenly spaced."""
    every = math.ceil(patch / LOOKS)
    inside = torch.arange(every // 2, patch, every)
    return (torch.arange(tokens)[:, None] * patch + inside).flatten()


def _known(missing_BCL: Tensor, steps: int) -> Tensor:
    """bool (B, steps), where any channel has a value; the padding has none."""
    return F.pad(~missing_BCL.all(1), (0, steps - missing_BCL.shape[2]))


def _drawn(number: int, channels: int, generator: torch.Generator) -> Tensor:
    """Weights (k, C, 9) of unit norm and mean 0 in each channel that they see: of C channels 2^u, u
    uniform up to log2 of at most 9 and C, plus 1, as in Rocket."""
    weights = torch.randn(number, channels, WIDTH, generator=generator)
    weights -= weights.mean(2, keepdim=True)
    if channels > 1:
        most = math.log2(min(channels, WIDTH) + 1)
        count = (2 ** (torch.rand(number, generator=generator) * most)).long()
        rank = torch.rand(number, channels, generator=generator).argsort(1).argsort(1)
        weights *= (rank < count[:, None])[..., None]
    return weights / weights.flatten(1).norm(dim=1)[:, None, None]
