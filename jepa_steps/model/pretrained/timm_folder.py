"""Folders that timm saves (``timm.models.save_for_hf``): ``config.json`` and ``model.safetensors``.

Shapes: B samples, C channels, h x w pixels.
"""

from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import InputError
from ..torchvision_import import import_torchvision
from .files import refuse_keys, tensors, weight_files
from .preprocessing import Preprocessing, of_timm
from .wrapped import PublishedEncoder, Reading


def library() -> ModuleType:
    """timm.

    Raises:
        InputError: it, or torchvision, is not installed.
    """
    import_torchvision(who="encoder: timm")
    try:
        import timm
    except ModuleNotFoundError:
        raise InputError(
            "encoder: timm is not installed; pip install 'jepa-steps[pretrained]'"
        ) from None
    return timm


def describe(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Architecture, its arguments and preprocessing of a saved model, as plain data.

    Raises:
        InputError: an architecture that timm does not have, or a field that is missing.
    """
    path, name = folder / "config.json", config["architecture"]
    if not library().is_model(name):
        raise InputError(
            f"{path}: architecture: found {name!r}, which timm {library().__version__} does not have"
        )
    preprocessing = of_timm(config.get("pretrained_cfg") or {}, path)
    kept = ("architecture", "num_classes", "global_pool", "model_args")
    return {
        "library": "timm",
        "class": name,
        "config": {key: config[key] for key in kept if key in config},
        "preprocessing": preprocessing.plain(),
    }


def _model(description: dict[str, Any]) -> nn.Module:
    """The whole model with initial weights, its head included."""
    found = description["config"]
    arguments = {k: found[k] for k in ("num_classes", "global_pool") if k in found}
    arguments |= found.get("model_args") or {}
    try:
        return library().create_model(found["architecture"], pretrained=False, **arguments).eval()
    except Exception as error:  # whatever wrong arguments make it raise
        first = " ".join(str(error).split())[:300]
        raise InputError(f"config.json: {found['architecture']} cannot be built: {first}") from None


def load(folder: Path, description: dict[str, Any]) -> dict[str, Tensor]:
    """Weights of the encoder, float32, by name in ``build``.

    Raises:
        InputError: no safetensors, a damaged file, or keys that are missing, unexpected or of another
            shape.
    """
    weights, model = tensors(weight_files(folder)), _model(description)
    expected = model.state_dict()
    missing, unexpected = expected.keys() - weights, weights.keys() - expected
    both = {name: (x.shape, expected[name].shape) for name, x in weights.items() if name in expected}
    other = [(name, *shapes) for name, shapes in both.items() if shapes[0] != shapes[1]]
    refuse_keys(folder, description["class"], missing, unexpected, other)
    model.load_state_dict(
        {name: x.float() if x.is_floating_point() else x for name, x in weights.items()}
    )
    model.reset_classifier(0)
    return {f"model.{name}": tensor for name, tensor in model.state_dict().items()}


def build(description: dict[str, Any], preprocessing: Preprocessing, frames: int) -> PublishedEncoder:
    """The encoder with initial weights, without its head.

    Args:
        frames: of a clip; 0 for images, of which all models of timm are.
    """
    if frames:
        raise InputError("train.path: found timm, whose encoders are of single frames, expected clips")
    model = _model(description)
    model.reset_classifier(0)
    special = getattr(model, "num_prefix_tokens", 0) or 0
    probe = torch.zeros(1, len(preprocessing.mean), *preprocessing.taken)
    with torch.no_grad():
        found = _features(model, probe, False)[-1]
    grid = None
    if found.ndim == 3:
        if not hasattr(model, "num_prefix_tokens"):
            raise InputError(
                f"train.path: found {description['class']}, whose tokens are not known here; expected a "
                "model of timm with num_prefix_tokens, or one that gives feature maps"
            )
        grid = _square(found.shape[1] - special, preprocessing, description["class"])
    has_class = special > 0 and getattr(model, "cls_token", None) is not None
    return PublishedEncoder(model, _features, Reading(special, has_class, grid), probe)


def _square(tokens: int, preprocessing: Preprocessing, name: str) -> tuple[int, int]:
    """The grid of a number of tokens with the sides in the ratio of the image's."""
    high, wide = preprocessing.taken
    down = round((tokens * high / wide) ** 0.5)
    if not down or tokens % down:
        raise InputError(f"{name}: found {tokens} tokens, expected as many as lie in a grid")
    return down, tokens // down


def _features(model: nn.Module, x: Tensor, every: bool) -> list[Tensor]:
    """Tokens (B, S + N, D), or feature maps (B, D, h, w)."""
    last = model.forward_features(x)
    last = last.permute(0, 3, 1, 2) if getattr(model, "output_fmt", "NCHW") == "NHWC" else last
    if not every:
        return [last]
    if last.ndim == 3 and hasattr(model, "blocks"):
        options = {"output_fmt": "NLC", "intermediates_only": True}
        if not model.num_prefix_tokens:
            return [*model.forward_intermediates(x, **options)[:-1], last]
        found = model.forward_intermediates(x, return_prefix_tokens=True, **options)
        return [*(torch.cat([prefix, tokens], 1) for tokens, prefix in found[:-1]), last]
    raise InputError(
        f"embed.poolings: found a pooling of several layers, which {type(model).__name__} lacks; leave "
        "it out"
    )
