"""The same encoder in two dialects: ours, and ``IJepaModel`` as transformers stores it.

Both are a ViT without a class token, pre-norm, with a LayerNorm at the end (I-JEPA, Assran et al. 2023);
names differ, theirs splits attention's input in three, and its patches are cut by a convolution. Names
are those of files, which versions of transformers share.

Shapes: N tokens, D width, C channels, p x p pixels of a patch.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..config.base import both
from ..errors import InputError
from ..files import read_json
from .pretrained.files import tensors, weight_files

EPS = 1e-6  # of our LayerNorms, as in I-JEPA's own code
# (ours, theirs) outside of blocks and within one, each with a weight and a bias.
_ENDS = (("transformer.norm", "layernorm"),)
_BLOCK = (
    ("norm1", "layernorm_before"),
    ("norm2", "layernorm_after"),
    ("attention.proj", "attention.output.dense"),
    ("mlp.0", "intermediate.dense"),
    ("mlp.2", "output.dense"),
)
_QKV = ("query", "key", "value")
_PATCHES, _POSITIONS = "embeddings.patch_embeddings.projection", "embeddings.position_embeddings"


def to_transformers(
    weights: dict[str, Tensor], positions_ND: Tensor, patch: int, channels: int
) -> dict[str, Tensor]:
    """Weights of our encoder by the names in a file of ``IJepaModel``.

    Args:
        weights: ``TokenEncoder.state_dict()``, without positions. patch: side p, pixels.
    """
    found = {_POSITIONS: positions_ND[None].clone()}
    for kind in ("weight", "bias"):
        for ours, theirs in _pairs(weights):
            found[f"{theirs}.{kind}"] = weights[f"{ours}.{kind}"].clone()
        for number in range(_depth(weights, "transformer.blocks.")):
            parts = weights[f"transformer.blocks.{number}.attention.qkv.{kind}"].chunk(3)
            for name, part in zip(_QKV, parts, strict=True):
                found[f"{_attention(number, name)}.{kind}"] = part.clone()
    return found | {
        f"{_PATCHES}.weight": convolution(weights["tokenizer.embed.weight"], patch, channels),
        f"{_PATCHES}.bias": weights["tokenizer.embed.bias"].clone(),
    }


def convolution(embed_DP: Tensor, patch: int, channels: int) -> Tensor:
    """Our map of patches (D, p * p * C) as a convolution's weight (D, C, p, p): values of a patch are
    ours by row, column and channel."""
    return embed_DP.reshape(-1, patch, patch, channels).permute(0, 3, 1, 2).contiguous()


def from_transformers(folder: Path, model: Any) -> tuple[dict[str, Tensor], Tensor, tuple[int, int]]:
    """Weights by name in our encoder, position codes (N, D) and their grid, of a saved ``IJepaModel``.

    Args:
        model: settings of our encoder, which must be of this architecture.

    Raises:
        InputError: another class, another architecture, or missing files.
    """
    config = _config(folder, model)
    found = tensors(weight_files(folder))
    found = {name.removeprefix("ijepa."): x.float() for name, x in found.items()}
    conv = found.pop(f"{_PATCHES}.weight", torch.empty(0, 0, 0, 0))
    try:
        weights = {"tokenizer.embed.bias": found[f"{_PATCHES}.bias"]}
        for kind in ("weight", "bias"):
            for number in range(config["num_hidden_layers"]):
                parts = [found[f"{_attention(number, name)}.{kind}"] for name in _QKV]
                weights[f"transformer.blocks.{number}.attention.qkv.{kind}"] = torch.cat(parts)
            for ours, theirs in _pairs({}, config["num_hidden_layers"]):
                weights[f"{ours}.{kind}"] = found[f"{theirs}.{kind}"]
        positions_ND = found[_POSITIONS][0]
    except KeyError as error:
        raise InputError(
            f"train.init: {folder}: found no weight {error}, expected those of IJepaModel"
        ) from None
    weights["tokenizer.embed.weight"] = conv.permute(0, 2, 3, 1).flatten(1).contiguous()
    height, width = both(config["image_size"])
    patch = config["patch_size"]
    return weights, positions_ND, (height // patch, width // patch)


def _config(folder: Path, model: Any) -> dict[str, Any]:
    """config.json of the folder, where its architecture is that of ``model``."""
    path = folder / "config.json"
    config = read_json(path)
    if config.get("model_type") != "ijepa":
        raise InputError(
            f"train.init: {path}: found model_type {config.get('model_type')!r}, expected ijepa (other "
            "published encoders are judged by encoder: pretrained)"
        )
    fixed = {"layer_norm_eps": EPS, "hidden_act": "gelu", "qkv_bias": True}
    ours = {
        "patch_size": model.patch_size,
        "hidden_size": model.dim,
        "num_hidden_layers": model.depth,
        "num_attention_heads": model.heads,
        "intermediate_size": int(model.dim * model.mlp_ratio),
    }
    for name, expected in (ours | fixed).items():
        if config.get(name) != expected:
            where = "train.model's" if name in ours else "this project's"
            raise InputError(
                f"train.init: {path}: {name}: found {config.get(name)}, expected {where} {expected}"
            )
    return config


def _attention(number: int, name: str) -> str:
    return f"encoder.layer.{number}.attention.attention.{name}"


def _depth(weights: dict[str, Tensor], prefix: str) -> int:
    return len({name.removeprefix(prefix).split(".")[0] for name in weights if name.startswith(prefix)})


def _pairs(weights: dict[str, Tensor], depth: int | None = None) -> list[tuple[str, str]]:
    """(ours, theirs) of all layers that are the same in both."""
    depth = _depth(weights, "transformer.blocks.") if depth is None else depth
    blocks = [
        (f"transformer.blocks.{number}.{ours}", f"encoder.layer.{number}.{theirs}")
        for number in range(depth)
        for ours, theirs in _BLOCK
    ]
    return [*_ENDS, *blocks]
