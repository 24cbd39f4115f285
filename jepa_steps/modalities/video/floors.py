"""Floors of video: what the mean frame and the differences of frames tell without training.

Shapes: B samples, T frames of C channels and H x W pixels, D width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class MeanOfFrames(nn.Module):
    """Pixels of the mean frame: (B, T, C, H, W) -> (B, 1, C * h * w)."""

    def __init__(self, size: int):
        super().__init__()
        self.size = size

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        return smaller(x_BTCHW.mean(1), self.size).flatten(1)[:, None]


class DifferencesOfFrames(nn.Module):
    """Differences of frames and the mean of their sizes: (B, T, C, H, W) -> (B, 1, T * C * h * w)."""

    def __init__(self, size: int):
        super().__init__()
        self.size = size

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        B, T = x_BTCHW.shape[:2]
        small = smaller(x_BTCHW.flatten(0, 1), self.size)
        change_BtP = small.reshape(B, T, -1).diff(dim=1)
        return torch.cat([change_BtP.flatten(1), change_BtP.abs().mean(1)], 1)[:, None]


def smaller(x_BCHW: Tensor, size: int) -> Tensor:
    """Frames averaged down so that the shorter side has at most ``size`` pixels."""
    height, width = x_BCHW.shape[-2:]
    if min(height, width) <= size:
        return x_BCHW
    scale = size / min(height, width)
    shape = (max(1, round(height * scale)), max(1, round(width * scale)))
    return functional.adaptive_avg_pool2d(x_BCHW, shape)
