"""Images of any channels as figures show them: false colours, 8 bit.

Shapes: n images, H x W pixels, C channels.
"""

from typing import Any

import numpy as np
import torch

from ...draws import evenly
from ...errors import InputError
from ...model.floors import principal_components
from ...model.pixels import pixels_for
from .store import ImageStore

_FITTED = 64  # training images that colours and their range are fitted on
_PIXELS = 2**16  # of these images, at most
_RANGE = (0.02, 0.98)  # quantiles that become black and white


class Colours:
    """Images by number, as uint8 RGB or grey (H, W, 3 or 1).

    8-bit pictures are as they are stored. Of others, normalised values are shown: the channels that
    ``ImageDataset.show`` names, one channel as grey, two as magenta and green, more as the first three
    principal components of the channels. The range from the 2nd to the 98th percentile over training
    images becomes 0 to 255.
    """

    def __init__(self, store: ImageStore):
        pixels, channels = store.manifest["pixels"], store.images.shape[3]
        self._images = store.images
        self.plain = "values" not in pixels and channels in (1, 3)
        if self.plain:
            return
        self._normalise = pixels_for(pixels, "cpu")
        rows = evenly(store.rows("train"), _FITTED)
        values = self._values(store.images[rows]).reshape(-1, channels)
        values = values[:: max(1, len(values) // _PIXELS)]
        self._mixed = _mixed(values, store.manifest["settings"].get("show"), pixels.get("channels"))
        self._low, self._high = np.quantile(values @ self._mixed, _RANGE, axis=0)

    def _values(self, images: np.ndarray) -> np.ndarray:
        """Normalised float32 (n, H, W, C)."""
        return self._normalise(torch.from_numpy(np.array(images))).permute(0, 2, 3, 1).numpy()

    def __getitem__(self, index: int | np.ndarray) -> np.ndarray:
        """Image(s) of one number or of int64 (n,)."""
        if self.plain:
            return self._images[index]
        if np.ndim(index) == 0:
            return self[np.array([index])][0]
        shown = self._values(self._images[index]) @ self._mixed
        unit = (shown - self._low) / np.maximum(self._high - self._low, 1e-12)
        return (unit.clip(0, 1) * 255).round().astype(np.uint8)


def _mixed(values: np.ndarray, show: Any, names: list[str] | None) -> np.ndarray:
    """Weights float64 (C, 1 or 3) of the channels in the colours that are shown, of values (m, C)."""
    channels = values.shape[1]
    own = np.eye(channels)
    if show is not None:
        return own[:, [number(name, names, channels) for name in show]]
    if channels < 3:
        return own if channels == 1 else own[:, [0, 1, 0]]
    if channels == 3:
        return own
    return principal_components([values], 3)[1].T


def number(name: int | str, names: list[str] | None, channels: int) -> int:
    """Place of a channel from 0, by its name or its number from 1.

    Raises:
        InputError: there is no such channel.
    """
    if isinstance(name, str) and name in (names or []):
        return names.index(name)
    if isinstance(name, int) and 1 <= name <= channels:
        return name - 1
    known = f"1 to {channels}" + (f", or {', '.join(names[:8])}" if names else "")
    raise InputError(f"show: found {name!r}, expected {known}")


def spoken(manifest: dict[str, Any]) -> str | None:
    """How figures show images; None of 8-bit pictures."""
    pixels, channels = manifest["pixels"], manifest["images"]["shape"][2]
    if "values" not in pixels and channels in (1, 3):
        return None
    names = pixels.get("channels") or [str(c + 1) for c in range(channels)]
    show = manifest["settings"].get("show")
    if show is not None:
        colours = [names[number(name, names, channels)] for name in show]
    elif channels == 1:
        return "grey, from the 2nd to the 98th percentile"
    else:
        colours = [names[0], names[1], names[0]] if channels == 2 else names if channels == 3 else None
    if colours is None:
        return "the first three principal components of the channels as red, green and blue"
    return f"channels {', '.join(colours)} as red, green and blue"
