"""Clips as an encoder takes them, and the encoder.

Shapes: B samples, T frames of H x W pixels, C channels.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...errors import InputError
from ...model.encoder import TokenEncoder, as_tensor
from ...model.pixels import pixels_for, statistics_for
from ...model.seeded import seeded
from .floors import DifferencesOfFrames, MeanOfFrames
from .store import VideoStore
from .tokenizer import TubeletTokenizer
from .training import FrameDifferences, MeanFrame, UntrainedVideo, VideoJepa


def describe(train: object, store: VideoStore) -> dict[str, Any]:
    """The part of ``encoder.json`` that tells inputs and preprocessing."""
    settings = store.manifest["settings"]
    mean, std = statistics_for(train, store.manifest["pixels"])
    length, *size, channels = store.shape
    return {
        "clip_length": length,
        "image_size": list(size),
        "channels": channels,
        "frame_rate": settings["frame_rate"],
        "resize": settings["resize"],
        "mean": mean,
        "std": std,
    }


def clip_shape(description: dict[str, Any]) -> tuple[int, int, int, int]:
    """(T, H, W, C) of the clips that an encoder takes."""
    return (description["clip_length"], *description["image_size"], description["channels"])


class ClipInputs:
    """uint8 (B, T, H, W, C) -> normalised float32 (B, T, C, H, W); for published weights as their folder
    says."""

    def __init__(self, description: dict[str, Any], device: str | torch.device):
        self.shape = clip_shape(description)
        self.values = int(np.prod(self.shape))
        self.normalise = pixels_for(description, device)

    def __call__(self, clips: np.ndarray | Tensor) -> Tensor:
        x = as_tensor(clips)
        if x.dtype != torch.uint8 or x.shape[1:] != self.shape:
            raise InputError(
                f"clips: found {x.dtype} {tuple(x.shape)}, expected uint8 (B, *{self.shape})"
            )
        frames = self.normalise(x.flatten(0, 1))
        return frames.reshape(len(x), self.shape[0], *frames.shape[1:])


def inputs(description: dict[str, Any], device: str = "cpu") -> ClipInputs:
    """The preprocessing that an ``encoder.json`` describes."""
    return ClipInputs(description, device)


def encoder(
    train: VideoJepa | UntrainedVideo | MeanFrame | FrameDifferences,
    description: dict[str, Any],
) -> nn.Module:
    """The encoder with initial weights that depend on ``train.seed`` only, or a floor of one vector."""
    if isinstance(train, MeanFrame):
        return MeanOfFrames(train.size)
    if isinstance(train, FrameDifferences):
        return DifferencesOfFrames(train.size)
    model, shape = train.model, clip_shape(description)
    with seeded(train.seed):
        tokenizer = TubeletTokenizer(shape, model.tubelet_length, model.patch_size, model.dim)
        runs = tokenizer.grid[0] if model.attention == "frame" else 1
        return TokenEncoder(tokenizer, model.depth, model.heads, model.mlp_ratio, runs=runs)
