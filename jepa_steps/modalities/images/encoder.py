"""Images as an encoder takes them, and the encoder.

Shapes: B samples, H x W x C pixels.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...config import PretrainedEncoder, UntrainedPretrained
from ...config.base import both
from ...errors import InputError
from ...model.encoder import TokenEncoder, as_tensor
from ...model.pixels import pixels_for, statistics_for, values_for
from ...model.seeded import seeded
from .settings import ImageJepa, UntrainedImageEncoder
from .store import ImageStore
from .tokenizer import PatchTokenizer

# Settings of a data set that tell how further files of it are read.
READING = (
    "dtype", "max_value", "resize", "tile", "stride", "channel_pattern", "channel_axis", "no_data"
)  # fmt: skip


def describe(train: object, store: ImageStore) -> dict[str, Any]:
    """The part of ``encoder.json`` that tells inputs and preprocessing."""
    pixels = store.manifest["pixels"]
    height, width, channels = store.manifest["images"]["shape"]
    mean, std = statistics_for(train, pixels)
    values = values_for(train, pixels)
    if isinstance(train, PretrainedEncoder | UntrainedPretrained) and values is not None:
        raise InputError(
            f"train.encoder: found {train.encoder} for {values['dtype']} values, expected 8-bit "
            "pictures, as published weights take them"
        )
    settings = store.manifest["settings"]
    reading = {name: settings[name] for name in READING if settings.get(name) is not None}
    if "no_data" in pixels:
        reading["no_data"] = pixels["no_data"]
    return {
        "image_size": height if height == width else [height, width],
        "channels": channels,
        "mean": mean,
        "std": std,
        **({"values": values} if values is not None else {}),
        **({"channel_names": pixels["channels"]} if "channels" in pixels else {}),
        **({"of_files": pixels["of_files"]} if "of_files" in pixels else {}),
        **({"reading": reading} if reading else {}),
    }


class ImageInputs:
    """Images (B, H, W, C) of the stored type -> normalised float32 (B, C, H, W); for published weights
    as their folder says."""

    def __init__(self, description: dict[str, Any], device: str):
        self.shape = (*both(description["image_size"]), description["channels"])
        self.values = math.prod(self.shape)
        self.dtype = getattr(torch, description.get("values", {"dtype": "uint8"})["dtype"])
        self.device = torch.device(device)
        self._normalise = pixels_for(description, device)

    def __call__(self, images: np.ndarray | Tensor) -> Tensor:
        x = as_tensor(images)
        if x.dtype != self.dtype or x.shape[1:] != self.shape:
            wanted = str(self.dtype).removeprefix("torch.")
            raise InputError(
                f"images: found {x.dtype} {tuple(x.shape)}, expected {wanted} (B, *{self.shape})"
            )
        if x.dtype == torch.float32 and x.isinf().any():
            raise InputError("images: found infinite values, expected finite ones or NaN (missing)")
        return self._normalise(x)


def inputs(description: dict[str, Any], device: str = "cpu") -> ImageInputs:
    """The preprocessing that an ``encoder.json`` describes."""
    return ImageInputs(description, device)


def encoder(train: ImageJepa | UntrainedImageEncoder, description: dict[str, Any]) -> TokenEncoder:
    """The encoder with initial weights that depend on ``train.seed`` only."""
    return build_encoder(train, description["image_size"], description["channels"])


def build_encoder(
    train: ImageJepa | UntrainedImageEncoder, image_size: int | Sequence[int], channels: int
) -> TokenEncoder:
    """The same for images of ``image_size``, a side or (H, W)."""
    model = train.model
    with seeded(train.seed):
        tokenizer = PatchTokenizer(image_size, model.patch_size, channels, model.dim)
        return TokenEncoder(tokenizer, model.depth, model.heads, model.mlp_ratio)
