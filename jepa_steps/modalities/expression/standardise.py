"""From stored expression to what the encoder takes, the same in training and after it.

Shapes: B cells, G genes.
"""

import numpy as np
import torch
from torch import Tensor

from ...device import moved


def common_scale(std: np.ndarray) -> float:
    """The root mean square of the genes' standard deviations (G,); 1 where no gene varies."""
    scale = float(np.sqrt(np.mean(np.square(std, dtype=np.float64))))
    return scale if scale > 0 else 1.0


class Standardisation:
    """Genes centred on training cells, and divided by one number.

    Values have mean square 1, and a gene counts for as much as it varies. Dividing each gene by its own
    standard deviation would make noise of the genes that are hardly ever expressed.

    Args:
        mean: float32 (G,). scale: ``common_scale``.
    """

    def __init__(self, mean: np.ndarray, scale: float, device: torch.device | str):
        self._mean = torch.from_numpy(np.asarray(mean, np.float32)).to(device)
        self._scale = scale

    def __call__(self, x_BG: Tensor) -> Tensor:
        """Float32 (B, G), expression as stored -> float32 (B, G)."""
        return (moved(x_BG, self._mean.device) - self._mean) / self._scale
