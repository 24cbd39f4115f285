"""Images of any channels as figures show them: false colours, 8 bit.

Shapes: n images, H x W pixels, C channels.
"""

from typing import Any

import numpy as np

from ...draws import evenly
from .shown import number
from .store import ImageStore
from .transform import normalised

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
        self._pixels = pixels
        rows = evenly(store.rows("train"), _FITTED)
        values = normalised(store.images[rows], pixels).reshape(-1, channels)
        values = values[:: max(1, len(values) // _PIXELS)]
        self._mixed = _mixed(values, store.manifest["settings"].get("show"), pixels.get("channels"))
        self._low, self._high = np.quantile(values @ self._mixed, _RANGE, axis=0)

    def __getitem__(self, index: int | np.ndarray) -> np.ndarray:
        """Image(s) of one number or of int64 (n,)."""
        if self.plain:
            return self._images[index]
        if np.ndim(index) == 0:
            return self[np.array([index])][0]
        shown = normalised(self._images[index], self._pixels) @ self._mixed
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
    vectors = np.linalg.eigh(np.cov(values.T))[1][:, :-4:-1]
    return vectors * np.sign(vectors[np.abs(vectors).argmax(0), range(3)])
