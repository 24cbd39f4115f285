"""Fixed sine-cosine codes of places in a grid."""

import torch
import torch.nn.functional as F
from torch import Tensor


def sincos_positions(grid: tuple[int, ...], dim: int) -> Tensor:
    """Fixed sine-cosine codes: float32 (N, dim), N = product of the grid, row-major.

    Each of the A axes has an equal share of the channels, 2 * (dim // 2A): a sine and a cosine per
    frequency, from 1 down to 1/10000. Channels that are left over are 0. Two axes: MAE (He et al. 2022,
    appendix); three: V-JEPA (Bardes et al. 2024).

    Raises:
        ValueError: fewer than two channels per axis.
    """
    frequencies = dim // (2 * len(grid))
    if not frequencies:
        raise ValueError(f"{dim} channels for {len(grid)} axes, expected at least {2 * len(grid)}")
    frequency = 1.0 / 10000 ** (torch.arange(frequencies, dtype=torch.float64) / frequencies)
    parts = []
    for place in torch.meshgrid(*map(torch.arange, grid), indexing="ij"):
        angle = place.reshape(-1, 1).double() * frequency
        parts += [angle.sin(), angle.cos()]
    codes = torch.cat(parts, 1).float()
    return F.pad(codes, (0, dim - codes.shape[1]))
