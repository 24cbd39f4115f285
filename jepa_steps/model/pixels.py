"""From stored pixels to what encoders read; the one place for training and for loaded encoders."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..device import moved
from ..errors import InputError
from .pretrained.preprocessing import of_plain
from .start import statistics


class PixelNormalisation:
    """uint8 (B, H, W, C) -> float32 (B, C, H, W), minus the mean, over the standard deviation.

    Args:
        mean, std: one value per channel, of pixels scaled to [0, 1].
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


class _Published:
    """Pixels as a published encoder wants them; see ``pretrained.preprocessing``."""

    def __init__(self, plain: dict[str, Any], device: torch.device | str):
        self._preprocessing, self._device = of_plain(plain), torch.device(device)

    def __call__(self, images: Tensor) -> Tensor:
        """uint8 (B, H, W, C) -> float32 (B, C, h, w)."""
        return moved(self._preprocessing(images.cpu().numpy()), self._device)


def pixels_for(description: dict[str, Any], device: torch.device | str) -> Callable[[Tensor], Tensor]:
    """From uint8 (B, H, W, C) to float32 (B, C, h, w) for the encoder of an ``encoder.json``."""
    if "pretrained" in description:
        return _Published(description["pretrained"]["preprocessing"], device)
    return PixelNormalisation(description["mean"], description["std"], device)


def statistics_for(train: Any, fitted: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel that pixels are normalised by.

    Those that were ``fitted`` on the training part; for a run that begins from weights those that they
    were trained with; none for a module that takes plain values.

    Raises:
        InputError: the start does not say, or is of other channels.
    """
    if getattr(train, "takes", None) == "plain":
        return [0.0] * len(fitted["mean"]), [1.0] * len(fitted["mean"])
    init = getattr(train, "init", None)
    if init is None:
        return fitted["mean"], fitted["std"]
    mean, std = statistics(init)
    if len(mean) != len(fitted["mean"]):
        raise InputError(
            f"train.init: {init}: found an encoder of {len(mean)} channels, expected "
            f"{len(fitted['mean'])}, as the data have"
        )
    return mean, std
