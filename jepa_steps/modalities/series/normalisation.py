"""From values as they were read to what the tokenizer takes.

Shapes: B samples, L time steps, C channels.
"""

import torch
from torch import Tensor, nn

_CONSTANT = 1e-6  # of the training part's deviation: a channel that varies less does not vary


class Normalisation:
    """Takes out mean and standard deviation of each channel over the training part, and then, if asked
    for, those of each sample. Missing values stay NaN.

    Args:
        mean, std: of the channels, over the training part.
        of_sample: take out each sample's own as well; a channel that is constant in a sample becomes 0.
    """

    def __init__(self, mean: list[float], std: list[float], of_sample: bool, device: str | torch.device):
        self._of_sample = of_sample
        self._mean = torch.tensor(mean, dtype=torch.float32, device=device)
        self._std = torch.tensor(std, dtype=torch.float32, device=device)

    def __call__(self, x_BLC: Tensor) -> Tensor:
        """float32 (B, L, C) -> float32 (B, L, C)."""
        x_BLC = (x_BLC.to(self._mean.device) - self._mean) / self._std
        if not self._of_sample:
            return x_BLC
        mean_BC, std_BC = self.of_samples(x_BLC)
        return (x_BLC - mean_BC[:, None]) / torch.where(std_BC > _CONSTANT, std_BC, 1)[:, None]

    @staticmethod
    def of_samples(x_BLC: Tensor) -> tuple[Tensor, Tensor]:
        """(mean, standard deviation) of each channel of each sample over time, (B, C); missing values
        aside, 0 where there are no others."""
        known = ~x_BLC.isnan()
        n = known.sum(1).clamp(min=1)
        mean_BC = x_BLC.nan_to_num(0).sum(1) / n
        off = torch.where(known, x_BLC - mean_BC[:, None], 0)
        return mean_BC, (off.square().sum(1) / n).sqrt()


class Statistics(nn.Module):
    """Mean and standard deviation of each channel of normalised samples: (B, L, C) -> (B, 1, 2 C)."""

    def forward(self, x_BLC: Tensor) -> Tensor:
        return torch.cat(Normalisation.of_samples(x_BLC), 1)[:, None]
