"""Images as an encoder takes them, and the encoder.

Shapes: B samples, H x W x C pixels.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError
from ...model.encoder import TokenEncoder, as_tensor
from ...model.pixels import pixels_for, statistics_for
from ...model.seeded import seeded
from .settings import ImageJepa, UntrainedImageEncoder
from .store import ImageStore
from .tokenizer import PatchTokenizer


def describe(train: object, store: ImageStore) -> dict[str, Any]:
    """The part of ``encoder.json`` that tells inputs and preprocessing."""
    size, _, channels = store.manifest["images"]["shape"]
    mean, std = statistics_for(train, store.manifest["pixels"])
    return {"image_size": size, "channels": channels, "mean": mean, "std": std}


class ImageInputs:
    """uint8 (B, H, W, C) -> normalised float32 (B, C, H, W); for published weights as their folder
    says."""

    def __init__(self, description: dict[str, Any], device: str):
        self.size, self.channels = description["image_size"], description["channels"]
        self.values = self.size**2 * self.channels
        self._normalise = pixels_for(description, device)

    def __call__(self, images: np.ndarray | Tensor) -> Tensor:
        x = as_tensor(images)
        shape = (self.size, self.size, self.channels)
        if x.dtype != torch.uint8 or x.shape[1:] != shape:
            raise InputError(f"images: found {x.dtype} {tuple(x.shape)}, expected uint8 (B, *{shape})")
        return self._normalise(x)


def inputs(description: dict[str, Any], device: str = "cpu") -> ImageInputs:
    """The preprocessing that an ``encoder.json`` describes."""
    return ImageInputs(description, device)


def encoder(train: ImageJepa | UntrainedImageEncoder, description: dict[str, Any]) -> TokenEncoder:
    """The encoder with initial weights that depend on ``train.seed`` only."""
    return build_encoder(train, description["image_size"], description["channels"])


def build_encoder(
    train: ImageJepa | UntrainedImageEncoder, image_size: int, channels: int
) -> TokenEncoder:
    """The same for images of ``image_size`` pixels a side."""
    model = train.model
    with seeded(train.seed):
        tokenizer = PatchTokenizer(image_size, model.patch_size, channels, model.dim)
        return TokenEncoder(tokenizer, model.depth, model.heads, model.mlp_ratio)
