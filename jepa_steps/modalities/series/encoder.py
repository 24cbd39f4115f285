"""Time series as an encoder takes them, and the encoder.

Shapes: B samples, L time steps, C channels.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...draws import evenly
from ...errors import InputError
from ...model.encoder import TokenEncoder, as_tensor
from ...model.seeded import seeded
from .kernels import Kernels
from .minirocket import MiniRocket
from .normalisation import Normalisation, Statistics
from .patches import grid, patch_length
from .store import SeriesStore
from .tokenizers import tokenizer
from .training import ChannelStatistics, RandomConvolutions, SeriesJepa, UntrainedSeries

_CALIBRATION = 256  # training samples by which kernels are fitted to the data


def describe(train: object, store: SeriesStore) -> dict[str, Any]:
    """The part of ``encoder.json`` that tells inputs and preprocessing.

    length: time steps of a sample. gaps: whether values are missing, or series shorter than others.
    kernels: of tokenizer convolutions, what training samples say of its kernels.
    """
    description = describe_inputs(store)
    if isinstance(train, RandomConvolutions):
        some = store.samples(evenly(store.rows("train"), _CALIBRATION))
        biases = _minirocket(train, description).calibrated(inputs(description)(some))
        return {**description, "biases": biases}
    model = getattr(train, "model", None)
    if model is None or model.tokenizer != "convolutions":
        return description
    x = inputs(description)(store.samples(evenly(store.rows("train"), _CALIBRATION)))
    time, patch = grid(model, *store.shape)[-1], patch_length(model, store.windows.longest)
    drawn = _kernels(train, description)
    return {**description, "kernels": drawn.calibrated(x, time, patch)}


def describe_inputs(store: SeriesStore) -> dict[str, Any]:
    """What inputs are, whatever the encoder."""
    channels, series = store.manifest["channels"], store.manifest["series"]
    whole = store.manifest["settings"]["context_length"] is None
    return {
        "length": store.windows.longest,
        "channels": channels["names"],
        "mean": channels["mean"],
        "std": channels["std"],
        "normalise": store.manifest["settings"]["normalise"],
        "gaps": bool(series["missing"] or (whole and series["unequal"])),
    }


def _kernels(train: SeriesJepa | UntrainedSeries, description: dict[str, Any]) -> Kernels:
    model, shape = train.model, (description["length"], len(description["channels"]))
    separate = model.channels == "separate"
    return Kernels(model.kernels, *shape, train.seed, separate, description.get("kernels"))


def _minirocket(train: RandomConvolutions, description: dict[str, Any]) -> MiniRocket:
    shape = (description["length"], len(description["channels"]))
    return MiniRocket(*shape, train.features, train.seed, description.get("biases"))


class SeriesInputs:
    """float32 (B, L, C) as they were measured, NaN = missing -> normalised float32 (B, L, C)."""

    def __init__(self, description: dict[str, Any], device: str | torch.device):
        self.length, self.channels = description["length"], description["channels"]
        self.values, self._gaps = self.length * len(self.channels), description["gaps"]
        self.normalise = Normalisation(
            description["mean"], description["std"], description["normalise"] == "sample", device
        )

    def __call__(self, samples: np.ndarray | Tensor) -> Tensor:
        x = as_tensor(samples)
        shape = (self.length, len(self.channels))
        if x.shape[1:] != shape or not x.dtype.is_floating_point:
            raise InputError(
                f"series: found {x.dtype} {tuple(x.shape)}, expected float32 (B, {shape[0]}, {shape[1]})"
            )
        if not self._gaps and x.isnan().any():
            raise InputError(
                "series: found missing values, expected none: the encoder was trained on series without"
            )
        return self.normalise(x.float())


def inputs(description: dict[str, Any], device: str = "cpu") -> SeriesInputs:
    """The preprocessing that an ``encoder.json`` describes."""
    return SeriesInputs(description, device)


def encoder(
    train: SeriesJepa | UntrainedSeries | RandomConvolutions | ChannelStatistics,
    description: dict[str, Any],
) -> nn.Module:
    """The encoder with initial weights that depend on ``train.seed`` only, or a floor of one vector."""
    if isinstance(train, ChannelStatistics):
        return Statistics()
    if isinstance(train, RandomConvolutions):
        return _minirocket(train, description)
    model, shape = train.model, (description["length"], len(description["channels"]))
    kernels = _kernels(train, description) if model.tokenizer == "convolutions" else None
    with seeded(train.seed):
        tokens = tokenizer(model, *shape, description["gaps"], kernels)
        return TokenEncoder(tokens, model.depth, model.heads, model.mlp_ratio, model.final_norm)
