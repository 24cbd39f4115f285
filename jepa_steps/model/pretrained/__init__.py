"""Published weights: a folder that transformers or timm saved, behind the interface of an encoder.

Nothing is fetched, no pickle is read, no code of the folder is run.
"""

import json
from pathlib import Path
from typing import Any

from ...errors import InputError
from ..seeded import seeded
from . import timm_folder, transformers_folder
from .initial import as_initial
from .preprocessing import of_plain
from .wrapped import PublishedEncoder

_LIBRARIES = {"transformers": transformers_folder, "timm": timm_folder}

__all__ = ["PublishedEncoder", "build", "describe", "load", "spoken"]


def describe(folder: Path, channels: int) -> dict[str, Any]:
    """Library, class, config and preprocessing of a folder, as encoder.json holds them.

    Args:
        channels: of the pixels that it is to be applied to.

    Raises:
        InputError: no such folder, no config.json, a class that is not known, or other channels.
    """
    path = folder / "config.json"
    if not path.is_file():
        what = "no config.json" if folder.is_dir() else "no such folder"
        raise InputError(f"{folder}: found {what}, expected a folder that transformers or timm saved")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if not isinstance(config, dict):
        raise InputError(f"{path}: found no settings, expected those of a model")
    library = _LIBRARIES["timm" if "architecture" in config else "transformers"]
    described = library.describe(folder, config)
    wanted = len(described["preprocessing"]["mean"])
    if channels not in (1, wanted):
        raise InputError(f"{folder}: takes {wanted} channels, found {channels} in the data")
    return described


def spoken(
    description: dict[str, Any], weights: dict[str, int], module: PublishedEncoder, stored: list[int]
) -> list[str]:
    """What was found, and what is done to images of ``stored`` (H, W, C), for the terminal."""
    preprocessing = of_plain(description["preprocessing"])
    count = sum(x.numel() for x in module.state_dict().values())
    grid = " x ".join(map(str, module.grid))
    lines = [
        f"weights: {description['class']} of {description['library']}, {count:,} values; tokens on a "
        f"grid of {grid}, {module.special} special ones left out",
        f"preprocessing, as the folder says: {preprocessing.spoken()}",
    ]
    size = (preprocessing.side,) * 2 if preprocessing.side else preprocessing.size
    if size not in (None, tuple(stored[:2])):
        wanted = size[0] if size[0] == size[1] else list(size)
        lines.append(
            f"the data hold {stored[0]} x {stored[1]} pixels, which are resized once more; "
            f"image_size: {wanted} in the data set would avoid it"
        )
    if stored[2] < len(preprocessing.mean):
        lines.append(f"grey pixels are repeated {len(preprocessing.mean)} times")
    return [*lines, _looks(weights)]


def _looks(weights: dict[str, int]) -> str:
    alike, tensors = weights["as_initial"], weights["tensors"]
    return f"{alike} of {tensors} tensors have the mean and spread of freshly initialised ones"


def build(description: dict[str, Any], seed: int, frames: int = 0) -> PublishedEncoder:
    """The encoder with initial weights that depend on ``seed`` only.

    Args:
        description: what ``describe`` gave. frames: of a clip; 0 for images.

    Raises:
        InputError: a config that does not build.
    """
    library, preprocessing = _LIBRARIES[description["library"]], of_plain(description["preprocessing"])
    with seeded(seed):
        try:
            return library.build(description, preprocessing, frames)
        except (RuntimeError, ValueError, TypeError, AssertionError) as error:
            first = " ".join(str(error).split())[:300]
            size = " x ".join(map(str, preprocessing.taken or ()))
            raise InputError(
                f"train.path: {description['class']} cannot be applied to the {size} pixels that the "
                f"folder's preprocessing gives: {first}"
            ) from None


def load(
    folder: Path, description: dict[str, Any], fresh: PublishedEncoder, frames: int = 0
) -> dict[str, int]:
    """Put the weights of a folder into a module that ``build`` gave with seed 0; how many of its tensors
    look as they did before (``initial``).

    Raises:
        InputError: weights that are missing, damaged, or not those of the class.
    """
    with seeded(0):  # what draws a pooler that a folder lacks
        weights = _LIBRARIES[description["library"]].load(folder, description)
    other = build(description, 1, frames).state_dict()
    alike, tensors = as_initial(weights, fresh.state_dict(), other)
    fresh.load_state_dict(weights)
    return {"tensors": tensors, "as_initial": alike}
