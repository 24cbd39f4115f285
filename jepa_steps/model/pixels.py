"""From stored pixels to what encoders read; the one place for training and for loaded encoders."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..device import moved


class PixelNormalisation:
    """uint8 (B, H, W, C) -> float32 (B, C, H, W), minus the mean, over the standard deviation.

    Args:
        mean, std: one value a channel, of pixels scaled to [0, 1].
        device: where the result lives.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], device: torch.device | str = "cpu"):
        self.device = torch.device(device)
        # The same for pixels in [0, 255], (1, C, 1, 1).
        self.mean, self.std = (
            torch.tensor(value, device=self.device).view(1, -1, 1, 1) * 255 for value in (mean, std)
        )

    def __call__(self, images: Tensor) -> Tensor:
        """Normalise a batch."""
        # Bytes are moved before they become four times as many; no copies after that.
        x_BCHW = moved(images, self.device).permute(0, 3, 1, 2).contiguous().float()
        return x_BCHW.sub_(self.mean).div_(self.std)
