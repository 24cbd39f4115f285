"""How stored values become those that encoders get, by numpy; training has the same in ``model.pixels``.

Shapes: n images, H x W pixels, C channels.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Transform:
    """What is done to values before their mean and standard deviation.

    kind: standard, percentiles or log; see ``ImageDataset.normalise``. low, high, scale: per channel,
    where the kind uses them.
    """

    kind: str
    low: list[float] | None = None
    high: list[float] | None = None
    scale: list[float] | None = None

    def __call__(self, values: np.ndarray, channel: int) -> np.ndarray:
        """Values of one channel, float64."""
        x = values.astype(np.float64)
        if self.kind == "percentiles":
            return np.clip(x, self.low[channel], self.high[channel])
        return np.log1p(np.maximum(x, 0) / self.scale[channel]) if self.kind == "log" else x

    @property
    def plain(self) -> dict[str, Any]:
        """The settings that are used, as encoder.json has them."""
        return {k: v for k, v in vars(self).items() if v is not None}


def normalised(images: np.ndarray, pixels: dict[str, Any]) -> np.ndarray:
    """Stored images (n, H, W, C) as encoders get them, float64; missing values are 0.

    Args:
        pixels: of the manifest: mean, std and values.
    """
    values = dict(pixels.get("values", {"kind": "standard", "dtype": "uint8"}))
    no_data, _ = values.pop("no_data", None), values.pop("dtype")
    transform, out = Transform(**values), np.empty(images.shape, np.float64)
    unit = 1 if "values" in pixels else 255
    for c in range(images.shape[-1]):
        x = images[..., c]
        missing = np.isnan(x) if no_data is None else x == no_data
        mean, std = pixels["mean"][c] * unit, pixels["std"][c] * unit
        out[..., c] = np.where(missing, 0.0, (transform(np.where(missing, 1, x), c) - mean) / std)
    return out
