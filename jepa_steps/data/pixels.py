"""From stored pixels to what encoders read; the one place for training and for loaded encoders."""

from collections.abc import Sequence

import torch
from torch import Tensor


class PixelNormalisation:
    """uint8 (B, H, W, C) -> float32 (B, C, H, W), minus the mean, over the standard deviation.

    Args:
        mean, std: one value a channel, of pixels scaled to [0, 1].
        device: where the result lives.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], device: torch.device | str = "cpu"):
        self.device = torch.device(device)
        self._mean, self._std = (
            torch.tensor(value, device=self.device).view(1, -1, 1, 1) * 255 for value in (mean, std)
        )

    def __call__(self, images: Tensor) -> Tensor:
        """Normalise a batch."""
        return self.apply(images.to(self.device).permute(0, 3, 1, 2).float())

    def apply(self, x_BCHW: Tensor) -> Tensor:
        """Normalise pixel values float (B, C, H, W) in [0, 255]."""
        return (x_BCHW - self._mean) / self._std

    def undo(self, x_BCHW: Tensor) -> Tensor:
        """Pixel values in [0, 255] of normalised images."""
        return x_BCHW * self._std + self._mean
