"""Folders that Hugging Face transformers saves: ``config.json``, ``*.safetensors``, preprocessing.

The class that was saved is loaded whole, every key of it, and the encoder is taken out of it.

Shapes: B samples, T frames, C channels, h x w pixels, N tokens, D width.
"""

import os
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import InputError
from ..torchvision_import import import_torchvision
from .files import refuse_keys, weight_files
from .preprocessing import Preprocessing, of_transformers
from .wrapped import PublishedEncoder, Reading

Special = Callable[[Any], int]


def _registers(config: Any) -> int:
    return 1 + config.num_register_tokens


# Special tokens before those of the patches, by class of the encoder; the first one is the class token.
_PATCHES: dict[str, int | Special] = {
    "BeitModel": 1,
    "CLIPVisionModel": 1,
    "CLIPVisionTransformer": 1,
    "Data2VecVisionModel": 1,
    "DeiTModel": 2,
    "DINOv3ViTModel": _registers,
    "Dinov2Model": 1,
    "Dinov2WithRegistersModel": _registers,
    "IJepaModel": 0,
    "SiglipVisionModel": 0,
    "SiglipVisionTransformer": 0,
    "SwinModel": 0,
    "Swinv2Model": 0,
    "ViTMAEModel": 1,
    "ViTMSNModel": 1,
    "ViTModel": 1,
}
_OF_CLIPS: dict[str, int | Special] = {"VJEPA2Model": 0, "VideoMAEModel": 0, "VivitModel": 1}
_POOLER = re.compile(r"(^|\.)pooler\.")
# Where tokens are merged by two per axis from stage to stage.
_MERGED = ("SwinModel", "Swinv2Model")
_FEATURE_MAPS = ("ConvNextModel", "ConvNextV2Model", "ResNetModel")


def library() -> ModuleType:
    """transformers, offline and without bars.

    Raises:
        InputError: it is not installed.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"  # nothing is fetched: weights come from the folder alone
    try:
        if find_spec("torchvision"):  # which it imports, and a CPU-only torch needs help with
            import_torchvision()
        import transformers
    except ModuleNotFoundError:
        raise InputError(
            "encoder: transformers is not installed; pip install 'jepa-steps[pretrained]'"
        ) from None
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return transformers


def describe(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Class, config and preprocessing of a saved model, as plain data.

    Raises:
        InputError: a class that is unknown here, or code that would have to be run.
    """
    path = folder / "config.json"
    if config.get("auto_map"):
        raise InputError(
            f"{path}: auto_map: found {config['auto_map']}, which is code of its own and is not run; "
            "expected a class of transformers (encoder: module runs code of yours)"
        )
    names = config.get("architectures") or []
    if len(names) != 1:
        raise InputError(f"{path}: architectures: found {names}, expected one class of transformers")
    preprocessing = of_transformers(folder)
    described = {
        "library": "transformers",
        "class": names[0],
        "config": config,
        "preprocessing": preprocessing.plain(),
    }
    with torch.device("meta"):
        _encoder(described, path)  # an unknown class is refused before anything is read
    return described


def _saved(description: dict[str, Any], where: object) -> type[nn.Module]:
    found = getattr(library(), description["class"], None)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise InputError(
            f"{where}: architectures: found {description['class']!r}, which transformers "
            f"{library().__version__} does not have; expected a class of it"
        )
    return found


def _encoder(description: dict[str, Any], where: object = "encoder.json") -> nn.Module:
    """The encoder with initial weights; only its own part of a class with heads."""
    saved = _saved(description, where)
    try:
        whole = saved(saved.config_class.from_dict(description["config"]))
    except Exception as error:  # whatever a wrong config makes a class raise
        raise InputError(
            f"{where}: {saved.__name__} cannot be built: {str(error).splitlines()[0]}"
        ) from None
    return _body(whole, where)


def _body(whole: nn.Module, where: object) -> nn.Module:
    known = (*_PATCHES, *_OF_CLIPS, *_FEATURE_MAPS)
    if type(whole).__name__ in known:
        return whole
    body = whole.base_model
    body = getattr(body, "vision_model", body)  # of CLIP and SigLIP
    if type(body).__name__ not in known:
        raise InputError(
            f"{where}: architectures: found {type(whole).__name__}, whose tokens are not known here; "
            f"expected one of {', '.join(sorted(known))}, or one of these with a head"
        )
    return body


def load(folder: Path, description: dict[str, Any]) -> dict[str, Tensor]:
    """Weights of the encoder, float32, by name in ``build``.

    Raises:
        InputError: no safetensors, a damaged file, or keys that are missing, unexpected or of another
            shape.
    """
    weight_files(folder)
    saved = _saved(description, folder)
    try:
        whole, info = saved.from_pretrained(
            str(folder),
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # which are refused below, by name
            dtype=torch.float32,
        )
    except Exception as error:  # damaged files: as the library words them
        first = " ".join(str(error).split())[:300]
        raise InputError(f"{folder}: {saved.__name__} cannot be loaded: {first}") from None
    # A pooler comes after the tokens, and many folders are saved without.
    missing = {key for key in info["missing_keys"] if not _POOLER.search(key)}
    unexpected, other = info["unexpected_keys"], info["mismatched_keys"]
    refuse_keys(folder, saved.__name__, missing, unexpected, other)
    body = _body(whole, folder)
    return {f"model.{name}": tensor for name, tensor in body.state_dict().items()}


def build(description: dict[str, Any], preprocessing: Preprocessing, frames: int) -> PublishedEncoder:
    """The encoder with initial weights.

    Args:
        frames: of a clip; 0 for images.
    """
    body = _encoder(description)
    name, config = type(body).__name__, body.config
    if (name in _OF_CLIPS) != (frames > 0):
        found, wanted = ("clips", "single frames") if name in _OF_CLIPS else ("single frames", "clips")
        raise InputError(f"train.path: found {name}, an encoder of {found}, expected one of {wanted}")
    config.return_dict = True
    probe = torch.zeros(1, *([frames] if frames else []), len(preprocessing.mean), *preprocessing.taken)
    special = (_PATCHES | _OF_CLIPS).get(name, 0)
    special = special if isinstance(special, int) else special(config)
    reading = Reading(special, special > 0, _grid(name, config, preprocessing, frames))
    outputs = _OUTPUTS.get(name, _hidden)
    return PublishedEncoder(body, outputs, reading, probe)


def _grid(name: str, config: Any, preprocessing: Preprocessing, frames: int) -> tuple[int, ...] | None:
    if name not in _PATCHES | _OF_CLIPS:
        return None
    tubelet = getattr(config, "tubelet_size", 1)
    sides = getattr(config, "patch_size", None)
    if isinstance(tubelet, list | tuple):  # Vivit's holds all three sides
        tubelet, *sides = tubelet
    sides = sides if isinstance(sides, list | tuple) else (sides, sides)
    merged = 2 ** (len(config.depths) - 1) if name in _MERGED else 1
    grid = tuple(n // (p * merged) for n, p in zip(preprocessing.taken, sides, strict=True))
    return (frames // tubelet, *grid) if frames else grid


def _hidden(model: nn.Module, x: Tensor, every: bool, **more: Any) -> list[Tensor]:
    found = model(x, output_hidden_states=every, **more)
    return [*(found.hidden_states[1:-1] if every else ()), found.last_hidden_state]


def _in_order(model: nn.Module, x: Tensor, every: bool) -> list[Tensor]:
    """ViTMAE draws which patches it hides and gives the others in that order: hide none, in order."""
    model.config.mask_ratio = 0.0
    places = torch.arange(
        model.embeddings.patch_embeddings.num_patches, device=x.device, dtype=torch.float32
    )
    return _hidden(model, x, every, noise=places.expand(len(x), -1))


def _no_predictor(model: nn.Module, x: Tensor, every: bool) -> list[Tensor]:
    return _hidden(model, x, every, skip_predictor=True)


_OUTPUTS = {"ViTMAEModel": _in_order, "VJEPA2Model": _no_predictor}
