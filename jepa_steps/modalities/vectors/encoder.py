"""Given embeddings as an encoder takes them, and what stands for the encoder.

Shapes: B samples, W values of a sample in the store, T tokens, D dimensions.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...config import PcaEncoder, RawEncoder, Settings
from ...errors import InputError
from ...model.encoder import as_tensor
from ...model.seeded import seeded
from .store import VectorStore
from .training import GivenEmbeddings, RandomProjection, Shuffled


def describe(train: Settings, store: VectorStore) -> dict[str, Any]:
    """The part of ``encoder.json`` that tells inputs.

    part: what of a sample is taken; place: where it stands in what the store gives, W values; shape: of
    one sample of it.

    Raises:
        InputError: the data set lacks this part, or has fewer dimensions than asked for.
    """
    name = _part(train)
    (begin, end), places = store.places[name], store.places
    if begin == end:
        raise InputError(
            f"train.encoder: {train.encoder} needs {name}, which the data set was prepared without"
        )
    if isinstance(train, RandomProjection) and train.dim > end - begin:
        raise InputError(
            f"train.dim: found {train.dim}, expected at most {end - begin} (dimensions of an embedding)"
        )
    width = max(end for _, end in places.values())
    return {"part": name, "place": [begin, end], "shape": list(store.shape(name)), "width": width}


def _part(train: Settings) -> str:
    if isinstance(train, RawEncoder | PcaEncoder):
        return "raw"
    if isinstance(train, Shuffled):
        return "shuffled"
    return "tokens" if isinstance(train, GivenEmbeddings) and train.tokens else "vectors"


class VectorInputs:
    """float32 (B, W) as the store gives them, or the part alone -> float32 (B, *shape)."""

    def __init__(self, description: dict[str, Any], device: str | torch.device):
        self.shape, self._device = tuple(description["shape"]), device
        self._place, self._width = slice(*description["place"]), description["width"]
        self.values = math.prod(self.shape)

    def __call__(self, samples: np.ndarray | Tensor) -> Tensor:
        x = as_tensor(samples)
        if x.shape[1:] == (self._width,) and self.shape != (self._width,):
            x = x[:, self._place].reshape(len(x), *self.shape)
        if x.shape[1:] != self.shape or x.dtype.is_complex:
            raise InputError(
                f"vectors: found {x.dtype} {tuple(x.shape)}, expected float32 (B, "
                f"{', '.join(map(str, self.shape))})"
            )
        return x.float().to(self._device)


def inputs(description: dict[str, Any], device: str = "cpu") -> VectorInputs:
    """The preprocessing that an ``encoder.json`` describes: none but taking the part."""
    return VectorInputs(description, device)


class Unchanged(nn.Module):
    """Tokens (B, T, D) as they are, or embeddings (B, D) as the one token of a sample.

    Args:
        shape: of a sample. Tokens lie on a grid of one axis; one vector has none.
    """

    def __init__(self, shape: tuple[int, ...]):
        super().__init__()
        self.dim = shape[-1]
        self.grid = shape[:-1] or None

    def forward(self, x: Tensor) -> Tensor:
        return x if self.grid else x[:, None]


class Projection(nn.Module):
    """Embeddings (B, D) on random directions: (B, 1, dim). Lengths stay equal on average."""

    def __init__(self, width: int, dim: int):
        super().__init__()
        self.register_buffer("directions", torch.randn(width, dim) / math.sqrt(dim))

    def forward(self, x: Tensor) -> Tensor:
        return (x @ self.directions)[:, None]


def encoder(train: GivenEmbeddings | RandomProjection | Shuffled, description: dict) -> nn.Module:
    """What stands for the encoder; random directions depend on ``train.seed`` only."""
    shape = tuple(description["shape"])
    if isinstance(train, RandomProjection):
        with seeded(train.seed):
            return Projection(shape[-1], train.dim)
    return Unchanged(shape)
