"""From stored pixels to what encoders read; the one place for training and for loaded encoders.

Shapes: B samples, C channels, H x W pixels as stored, h x w as an encoder wants them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..device import moved
from ..errors import InputError
from .pretrained.preprocessing import of_plain
from .start import start_values, statistics


class PixelNormalisation:
    """uint8 (B, H, W, C) -> float32 (B, C, H, W), minus the mean, over the standard deviation.

    In units of full scale; see ``ValueNormalisation`` for other values.

    Args:
        mean, std: one value per channel, of pixels scaled to [0, 1].
        device: where the result lives.
    """

    may_lack = False  # whether values may be missing

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

    def normalised(self, x_BCHW: Tensor) -> Tensor:
        """Values of 0 to 255 as the encoder gets them."""
        return (x_BCHW - self.mean).div_(self.std)

    def restored(self, x_BCHW: Tensor) -> Tensor:
        """The values that ``normalised`` was given."""
        return x_BCHW * self.std + self.mean


class ValueNormalisation:
    """Values of any type (B, H, W, C) -> float32 (B, C, H, W): transformed, minus the mean, over the
    standard deviation; missing ones, NaN or ``no_data``, are 0, the mean.

    Args:
        mean, std: per channel, of transformed values.
        values: what encoder.json says of them: normalise, dtype, and where used low, high, scale and
            no_data.
        device: where the result lives.
    """

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        values: dict[str, Any],
        device: torch.device | str = "cpu",
    ):
        self.device, self.kind = torch.device(device), values["kind"]
        self.no_data = values.get("no_data")
        self.may_lack = self.no_data is not None or values["dtype"] == "float32"
        self.mean, self.std = self._channels(mean), self._channels(std)
        self._ends = [self._channels(values[name]) for name in ("low", "high") if name in values]
        self._scale = self._channels(values["scale"]) if "scale" in values else None

    def _channels(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, device=self.device, dtype=torch.float32).view(1, -1, 1, 1)

    def __call__(self, images: Tensor) -> Tensor:
        """Normalise a batch."""
        # As they are stored they take fewest bytes, so that they are moved before they are converted.
        x_BCHW = _floats(moved(bits(images), self.device).permute(0, 3, 1, 2).contiguous(), images.dtype)
        if not self.may_lack:
            return self._normalise(x_BCHW)
        missing = x_BCHW == self.no_data if self.no_data is not None else x_BCHW.isnan()
        return self._normalise(x_BCHW).masked_fill_(missing, 0.0)

    def normalised(self, x_BCHW: Tensor) -> Tensor:
        """Values as the encoder gets them; missing ones are not looked at."""
        return self._normalise(x_BCHW.clone())

    def _normalise(self, x_BCHW: Tensor) -> Tensor:
        """The same in place."""
        if self.kind == "percentiles":
            x_BCHW = x_BCHW.clamp_(*self._ends)
        elif self.kind == "log":
            x_BCHW = x_BCHW.clamp_(min=0).div_(self._scale).log1p_()
        return x_BCHW.sub_(self.mean).div_(self.std)

    def restored(self, x_BCHW: Tensor) -> Tensor:
        """The values that ``normalised`` was given; for percentiles within their range."""
        x_BCHW = x_BCHW * self.std + self.mean
        return torch.expm1(x_BCHW) * self._scale if self.kind == "log" else x_BCHW


def bits(images: Tensor) -> Tensor:
    """uint16 as int16 of the same bits: torch copies and indexes those faster, and on every device."""
    return images.view(torch.int16) if images.dtype == torch.uint16 else images


def _floats(images: Tensor, dtype: torch.dtype) -> Tensor:
    """float32 of what ``bits`` gave of images of a type."""
    if dtype != torch.uint16:
        return images.float()
    if images.device.type == "cpu":
        return images.view(torch.uint16).float()
    return (images.int() & 0xFFFF).float()


class _Published:
    """Pixels as a published encoder wants them; see ``pretrained.preprocessing``."""

    def __init__(self, plain: dict[str, Any], device: torch.device | str):
        self._preprocessing, self._device = of_plain(plain), torch.device(device)

    def __call__(self, images: Tensor) -> Tensor:
        """uint8 (B, H, W, C) -> float32 (B, C, h, w)."""
        return moved(self._preprocessing(images.cpu().numpy()), self._device)


def pixels_for(description: dict[str, Any], device: torch.device | str) -> Callable[[Tensor], Tensor]:
    """From stored pixels (B, H, W, C) to float32 (B, C, h, w) for the encoder of an ``encoder.json``."""
    if "pretrained" in description:
        return _Published(description["pretrained"]["preprocessing"], device)
    mean, std, values = (description.get(name) for name in ("mean", "std", "values"))
    if values is not None:
        return ValueNormalisation(mean, std, values, device)
    return PixelNormalisation(mean, std, device)


def values_for(train: Any, fitted: dict[str, Any]) -> dict[str, Any] | None:
    """What is done to values that are no 8-bit pictures, ``ValueNormalisation``'s ``values``; None for
    pictures. Arguments as of ``statistics_for``.

    Raises:
        InputError: the start was trained on other values.
    """
    values = fitted.get("values")
    if values is not None and getattr(train, "takes", None) == "plain":
        return {k: values[k] for k in ("dtype", "no_data") if k in values} | {"kind": "standard"}
    init = getattr(train, "init", None)
    if init is None:
        return values
    of_start = start_values(init)
    found, expected = (
        "8-bit pictures" if some is None else f"{some['dtype']} values" for some in (of_start, values)
    )
    if found != expected:
        raise InputError(f"train.init: {init}: found an encoder of {found}, the data are {expected}")
    return of_start


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
