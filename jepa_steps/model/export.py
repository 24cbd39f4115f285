"""The encoder that users load: weights, settings and preprocessing in one folder, no pickle.

from jepa_steps import load_encoder
encoder = load_encoder("results/train/digits-jepa")
tokens = encoder.encode(images)      # uint8 (B, H, W, C) -> float32 (B, N, D)
embedding = encoder.embed(images)    # -> float32 (B, D)
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ..cli import read_json, write_json
from ..config import JepaTraining, PcaEncoder, RawEncoder, Training, parse_training, resolved
from ..data.pixels import PixelNormalisation
from ..errors import InputError
from .floors import PcaProjection, RawPixels
from .jepa import build_encoder

FORMAT = 1


def build(train: Training, image_size: int, channels: int) -> nn.Module:
    """The module of any encoder kind, with initial weights."""
    values = image_size * image_size * channels
    if isinstance(train, RawEncoder):
        return RawPixels()
    if isinstance(train, PcaEncoder):
        return PcaProjection(values, train.dim)
    return build_encoder(train.model, image_size, channels, train.seed)


def describe(train: Training, manifest: dict[str, Any]) -> dict[str, Any]:
    """What ``encoder.json`` holds: all that loading needs beside the weights."""
    size, _, channels = manifest["images"]["shape"]
    return {
        "format": FORMAT,
        "image_size": size,
        "channels": channels,
        "mean": manifest["pixels"]["mean"],
        "std": manifest["pixels"]["std"],
        "train": resolved(train),
        "data_sha256": manifest["sha256"],
    }


def save_description(path: Path, train: Training, manifest: dict[str, Any]) -> None:
    """Write ``encoder.json``."""
    write_json(path, describe(train, manifest))


class Encoder:
    """A loaded encoder with the preprocessing it was trained with.

    Attributes:
        config: contents of encoder.json.
        image_size, channels: of the images it takes.
        module: the torch module, in eval mode, gradients off.
    """

    def __init__(self, config: dict[str, Any], weights: dict[str, Tensor], device: str = "cpu"):
        self.config = config
        self.image_size, self.channels = config["image_size"], config["channels"]
        train = parse_training(config["train"], "encoder.json")
        self.module = build(train, self.image_size, self.channels)
        try:
            self.module.load_state_dict(weights)
        except RuntimeError as error:
            raise InputError(f"weights do not fit encoder.json: {error}".replace("\n", " ")) from None
        self.module.eval().requires_grad_(False).to(device)
        self._normalise = PixelNormalisation(config["mean"], config["std"], device)
        self.trained = isinstance(train, JepaTraining)
        # Tokens (rows, columns) of an image; None for floors that give one vector.
        self.grid: tuple[int, int] | None = getattr(self.module, "grid", None)

    def preprocess(self, images: np.ndarray | Tensor) -> Tensor:
        """uint8 (B, H, W, C) -> normalised float32 (B, C, H, W).

        Raises:
            InputError: another type or shape.
        """
        x = images if isinstance(images, Tensor) else torch.from_numpy(np.array(images))
        shape = (self.image_size, self.image_size, self.channels)
        if x.dtype != torch.uint8 or x.shape[1:] != shape:
            raise InputError(f"images: found {x.dtype} {tuple(x.shape)}, expected uint8 (B, *{shape})")
        return self._normalise(x)

    @torch.no_grad()
    def encode(self, images: np.ndarray | Tensor, keep: np.ndarray | None = None) -> Tensor:
        """Token embeddings float32 (B, N, D); of the tokens int64 ``keep`` (B, K) alone, (B, K, D)."""
        if keep is None:
            return self.module(self.preprocess(images)).float()
        x = self.preprocess(images)
        return self.module(x, torch.from_numpy(keep).to(x.device)).float()

    def embed(self, images: np.ndarray | Tensor, pooling: str = "mean") -> Tensor:
        """One embedding a sample, float32 (B, D); see ``poolings``."""
        return self.poolings(images, [pooling])[pooling]

    @torch.no_grad()
    def poolings(self, images: np.ndarray | Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """Embeddings float32 (B, D_p) of one pass, by name of what is done with the tokens.

        mean, max: over tokens. concat: all tokens, one after another. last4: token means of the last
        four blocks side by side (I-JEPA, Assran et al. 2023, appendix A.2).
        """
        x = self.preprocess(images)
        layers = self.module.layers(x, 4) if "last4" in names else [self.module(x)]
        tokens = layers[-1]
        pool = {
            "mean": lambda: tokens.mean(1),
            "max": lambda: tokens.amax(1),
            "concat": lambda: tokens.flatten(1),
            "last4": lambda: torch.cat([layer.mean(1) for layer in layers], 1),
        }
        return {name: pool[name]().float() for name in names}


def load_encoder(folder: str | Path, device: str = "cpu") -> Encoder:
    """Load the encoder of a training result folder.

    Raises:
        InputError: missing, damaged or mismatched files.
    """
    folder = Path(folder)
    return Encoder(read_json(folder / "encoder.json"), _load(folder / "encoder.safetensors"), device)


def load_snapshots(folder: Path) -> list[tuple[float, Encoder]]:
    """The encoder at fractions of its training, (fraction, encoder) in order; [] for floors."""
    config = read_json(folder / "encoder.json")
    weights: dict[float, dict[str, Tensor]] = {}
    for name, tensor in _load(folder / "snapshots.safetensors").items():
        fraction, key = name.split("/", 1)
        weights.setdefault(float(fraction), {})[key] = tensor
    return [(fraction, Encoder(config, weights[fraction])) for fraction in sorted(weights)]


def _load(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
