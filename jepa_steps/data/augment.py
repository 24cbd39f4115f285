"""Batched image augmentation on the device, from counter-based draws.

Shapes: B samples, C channels, H x W pixels.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from . import counter


class RandomResizedCrop:
    """Random crop of a random area and aspect ratio, resized to the input size; random flip.

    One affine ``grid_sample`` (bilinear) for the whole batch. Area is uniform, aspect log-uniform,
    as in Inception cropping (Szegedy et al. 2015); a crop never leaves the image.

    Args:
        scale: range of the cropped share of the image area; (1, 1) with aspect (1, 1) is no crop.
        aspect: range of the crop's width/height.
        flip: probability of a horizontal flip.
    """

    def __init__(self, seed: int, scale: tuple[float, float], aspect: tuple[float, float], flip: float):
        self.scale, self.aspect, self.flip = scale, aspect, flip
        self._stream = counter.key(seed, "augment")

    def __call__(self, x_BCHW: Tensor, epoch: np.ndarray, index: np.ndarray) -> Tensor:
        """Augment float images; sample b's crop depends on (seed, epoch[b], index[b]) only."""
        theta = torch.from_numpy(self.transforms(epoch, index)).to(x_BCHW)
        grid = F.affine_grid(theta, list(x_BCHW.shape), align_corners=False)
        return F.grid_sample(x_BCHW, grid, padding_mode="border", align_corners=False)

    def transforms(self, epoch: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Affine maps float64 (B, 2, 3) from output to input coordinates in [-1, 1]."""
        u_area, u_aspect, u_y, u_x, u_flip = counter.uniform(self._stream, epoch, index, 5).T
        area = self.scale[0] + u_area * (self.scale[1] - self.scale[0])
        low, high = np.log(self.aspect)
        ratio = np.exp(low + u_aspect * (high - low))
        width = np.minimum(np.sqrt(area * ratio), 1.0)
        height = np.minimum(np.sqrt(area / ratio), 1.0)
        theta = np.zeros((len(area), 2, 3))
        theta[:, 0, 0] = np.where(u_flip < self.flip, -width, width)
        theta[:, 0, 2] = (2 * u_x - 1) * (1 - width)
        theta[:, 1, 1] = height
        theta[:, 1, 2] = (2 * u_y - 1) * (1 - height)
        return theta
