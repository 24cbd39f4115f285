"""The encoder that users load: weights, settings and preprocessing in one folder, no pickle.

from jepa_steps import load_encoder
encoder = load_encoder("results/train/digits-jepa")
tokens = encoder.encode(images)      # uint8 (B, H, W, C) or expression float32 (B, G) -> (B, N, D)
embedding = encoder.embed(images)    # -> float32 (B, D)
"""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ..config import (
    Embed,
    JepaRun,
    ModuleEncoder,
    PcaEncoder,
    PretrainedEncoder,
    RawEncoder,
    Settings,
    UntrainedPretrained,
    resolved,
)
from ..config.training import parse_training
from ..device import fitting, moved
from ..errors import InputError
from ..files import read_json
from ..modalities import part
from ..modalities.contract import Store
from . import pretrained, user_module
from .floors import PcaProjection, RawInput

FORMAT = 1


def build(train: Settings, description: dict[str, Any]) -> nn.Module:
    """The module of any encoder, with initial weights, for the inputs that ``encoder.json``
    describes."""
    modality = part(description["modality"], "encoder")
    if isinstance(train, RawEncoder):
        return RawInput()
    if isinstance(train, PcaEncoder):
        return PcaProjection(modality.inputs(description).values, train.dim)
    if isinstance(train, ModuleEncoder):
        return user_module.build(train, description["module"])
    if isinstance(train, PretrainedEncoder | UntrainedPretrained):
        seed = getattr(train, "seed", 0)
        return pretrained.build(description["pretrained"], seed, description.get("clip_length", 0))
    built = modality.encoder(train, description)
    if getattr(train, "init", None):
        built.keep_positions()
    return built


def describe(train: Settings, store: Store) -> dict[str, Any]:
    """What ``encoder.json`` holds: all that loading needs beside the weights."""
    modality = store.manifest["modality"]
    kind = part(modality, "encoder")
    inputs = kind.describe(train, store)
    if isinstance(train, PretrainedEncoder | UntrainedPretrained):
        inputs["pretrained"] = pretrained.describe(Path(train.path), inputs["channels"])
    if isinstance(train, ModuleEncoder):
        two = kind.inputs(inputs)(store.samples(store.rows("train")[:2]))
        inputs["module"] = user_module.describe(train, two)
    return {
        "format": FORMAT,
        "modality": modality,
        **inputs,
        "train": resolved(train),
        "data_sha256": store.manifest["sha256"],
    }


def load_published(
    train: PretrainedEncoder, store: Store, description: dict[str, Any], module: nn.Module
) -> tuple[dict[str, int], list[str]]:
    """Put the weights of a folder into its module and try it on one sample; whether they look initial,
    and lines on what was found.

    Raises:
        InputError: weights that do not fit, or give values that are not finite.
    """
    published, one = description["pretrained"], store.samples(store.rows("train")[:1])
    looks = pretrained.load(Path(train.path), published, module, description.get("clip_length", 0))
    inputs = part(description["modality"], "encoder").inputs(description)
    with torch.no_grad():
        found = module.eval()(inputs(one))
    if not found.isfinite().all():
        raise InputError(f"train.path: {train.path}: gives values that are not finite for a sample")
    return looks, pretrained.spoken(published, looks, module, list(one.shape[-3:]))


class Encoder:
    """A loaded encoder with the preprocessing it was trained with.

    Attributes:
        config: contents of encoder.json.
        preprocess: from plain samples to what ``module`` takes; see ``contract.Inputs``.
        module: the torch module, in eval mode, gradients off.
        trained: False for floors.
        grid: tokens of a sample along each axis; None for floors that give one vector.
        tokens: N, their number; 1 for such floors.
        maskable: whether tokens can be hidden from it.
    """

    def __init__(
        self, config: dict[str, Any], weights: dict[str, Tensor], device: str | torch.device = "cpu"
    ):
        self.config, self._device = config, torch.device(device)
        self.preprocess = part(config["modality"], "encoder").inputs(config, device)
        train = parse_training(config["train"], "encoder.json", config["modality"])
        self.module = build(train, config)
        try:
            self.module.load_state_dict(weights)
        except RuntimeError as error:
            raise InputError(f"weights do not fit encoder.json: {error}".replace("\n", " ")) from None
        self.module.eval().requires_grad_(False).to(device)
        self.trained = isinstance(train, JepaRun)
        self.grid: tuple[int, ...] | None = getattr(self.module, "grid", None)
        self.tokens = math.prod(self.grid or ())
        self.maskable = self.tokens > 1 and getattr(self.module, "maskable", True)

    def encode(self, samples: np.ndarray | Tensor, keep: np.ndarray | None = None) -> Tensor:
        """Token embeddings float32 (B, N, D); of the tokens int64 ``keep`` (B, K) alone, (B, K, D).

        Raises:
            InputError: no samples, or samples of another shape or type.
        """
        kept = [] if keep is None else [keep]
        return fitting(self._tokens, samples, *kept)["tokens"]

    @property
    def class_token(self) -> bool:
        """Whether there is a token that sums up the sample."""
        return getattr(self.module, "class_token", False)

    def _prepared(self, samples: np.ndarray | Tensor) -> Tensor:
        if len(samples) == 0:
            raise InputError(f"samples: found none, {tuple(samples.shape)}, expected at least one")
        return self.preprocess(samples)

    @torch.no_grad()
    def _tokens(self, samples: np.ndarray | Tensor, *keep: np.ndarray) -> dict[str, Tensor]:
        x = self._prepared(samples)
        return {"tokens": self.module(x, *(moved(part, self._device) for part in keep)).float()}

    def embed(self, samples: np.ndarray | Tensor, pooling: str = "mean") -> Tensor:
        """One embedding a sample, float32 (B, D); see ``poolings``."""
        return self.poolings(samples, [pooling])[pooling]

    def embedded(self, store: Store, rows: np.ndarray, settings: Embed) -> np.ndarray:
        """Pooled embeddings float32 (n, D) of samples int64 (n,) of a store, batch by batch."""
        parts = (store.samples(some) for some in batches(rows, settings.batch_size))
        return np.concatenate([self.embed(part, settings.pooling).cpu().numpy() for part in parts])

    def poolings(self, samples: np.ndarray | Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """Embeddings float32 (B, D_p) of one pass, by name of what is done with the tokens.

        mean, max: over tokens. class: the class token. concat: all tokens, one after another. slices:
        means over all axes of the grid but the first, side by side: of clips, one for each time. lastK:
        token means of the last K blocks side by side (K = 4 in I-JEPA, Assran et al. 2023, appendix
        A.2).

        Raises:
            InputError: the class token of an encoder that has none.
        """
        names = list(names)
        return fitting(lambda some: self._poolings(some, names), samples)

    @torch.no_grad()
    def _poolings(self, samples: np.ndarray | Tensor, names: list[str]) -> dict[str, Tensor]:
        if "class" in names and not self.class_token:
            raise InputError("embed.pooling: found class, expected mean or max: there is no class token")
        x = self._prepared(samples)
        last = {name: int(name[4:]) for name in names if name.startswith("last")}
        layers = self.module.layers(x, max(last.values())) if last else [self.module(x)]
        tokens = layers[-1]
        pool = {
            "mean": lambda: tokens.mean(1),
            "max": lambda: tokens.amax(1),
            "class": lambda: self.module.summary(x),
            "concat": lambda: tokens.flatten(1),
            "slices": lambda: tokens.unflatten(1, (self.grid[0], -1)).mean(2).flatten(1),
        }
        for name, k in last.items():
            pool[name] = lambda k=k: torch.cat([layer.mean(1) for layer in layers[-k:]], 1)
        return {name: pool[name]().float() for name in names}


def load_encoder(folder: str | Path, device: str | torch.device = "cpu") -> Encoder:
    """Load the encoder of a training result folder; what it returns lives on ``device``.

    Raises:
        InputError: missing, damaged or mismatched files.
    """
    folder = Path(folder)
    config = read_json(folder / "encoder.json", "train", "modality")
    return Encoder(config, load_weights(folder / "encoder.safetensors"), device)


def load_online(folder: Path, device: str | torch.device = "cpu") -> Encoder | None:
    """The encoder that saw the context, at the last step, where the exported one is its moving average;
    None for other objectives and floors."""
    config = read_json(folder / "encoder.json", "train", "modality")
    objective = config["train"].get("objective") or {}
    if "ema_target" not in objective.get("kind", ""):
        return None
    whole, prefix = load_weights(folder / "jepa.safetensors"), "encoder."
    weights = {name.removeprefix(prefix): t for name, t in whole.items() if name.startswith(prefix)}
    return Encoder(config, weights, device)


def load_snapshots(folder: Path, device: str | torch.device = "cpu") -> list[tuple[float, Encoder]]:
    """The encoder at fractions of its training, (fraction, encoder) in order; [] for floors."""
    config = read_json(folder / "encoder.json", "train", "modality")
    weights: dict[float, dict[str, Tensor]] = {}
    for name, tensor in load_weights(folder / "snapshots.safetensors").items():
        fraction, key = name.split("/", 1)
        weights.setdefault(float(fraction), {})[key] = tensor
    return [(fraction, Encoder(config, weights[fraction], device)) for fraction in sorted(weights)]


def load_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a .safetensors file by name.

    Raises:
        InputError: missing or damaged file.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None


def batches(rows: Any, size: int) -> Iterator[Any]:
    """Pieces of at most ``size`` rows, in order."""
    return (rows[a : a + size] for a in range(0, len(rows), size))
