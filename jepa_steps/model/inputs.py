"""What encoders take: plain samples, checked, with the preprocessing of training.

Shapes: B samples, H x W x C pixels, G genes.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.expression.standardise import Standardisation, common_scale
from ..data.pixels import PixelNormalisation
from ..data.prepared import Prepared
from ..data.store import Store
from ..errors import InputError


def describe_inputs(store: Prepared) -> dict[str, Any]:
    """The part of ``encoder.json`` that tells inputs and preprocessing."""
    manifest = store.manifest
    if isinstance(store, Store):
        size, _, channels = manifest["images"]["shape"]
        pixels = manifest["pixels"]
        return {
            "modality": "images",
            "image_size": size,
            "channels": channels,
            "mean": pixels["mean"],
            "std": pixels["std"],
        }
    return {
        "modality": "expression",
        "genes": store.genes,
        "mean": store.mean.tolist(),
        "scale": common_scale(store.std),
        "input": manifest["input"],
    }


class ImageInputs:
    """uint8 (B, H, W, C) -> normalised float32 (B, C, H, W)."""

    def __init__(self, config: dict[str, Any], device: str):
        self.size, self.channels = config["image_size"], config["channels"]
        self.values = self.size**2 * self.channels
        self._normalise = PixelNormalisation(config["mean"], config["std"], device)

    def __call__(self, images: np.ndarray | Tensor) -> Tensor:
        x = _tensor(images)
        shape = (self.size, self.size, self.channels)
        if x.dtype != torch.uint8 or x.shape[1:] != shape:
            raise InputError(f"images: found {x.dtype} {tuple(x.shape)}, expected uint8 (B, *{shape})")
        return self._normalise(x)


class CellInputs:
    """Expression float32 (B, G) as prepared: the genes of encoder.json, normalised and logarithmic ->
    standardised float32 (B, G)."""

    def __init__(self, config: dict[str, Any], device: str):
        self.genes = config["genes"]
        self.values = len(self.genes)
        self._standardise = Standardisation(config["mean"], config["scale"], device)

    def __call__(self, expression: np.ndarray | Tensor) -> Tensor:
        x = _tensor(expression)
        if not x.is_floating_point() or x.ndim != 2 or x.shape[1] != self.values:
            raise InputError(
                f"expression: found {x.dtype} {tuple(x.shape)}, expected float32 (B, {self.values}), "
                "the genes of encoder.json in their order"
            )
        return self._standardise(x.float())


def inputs_of(config: dict[str, Any], device: str = "cpu") -> ImageInputs | CellInputs:
    """The preprocessing that an ``encoder.json`` describes."""
    return (CellInputs if config["modality"] == "expression" else ImageInputs)(config, device)


def _tensor(samples: np.ndarray | Tensor) -> Tensor:
    return samples if isinstance(samples, Tensor) else torch.from_numpy(np.array(samples))
