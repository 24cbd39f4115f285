"""How a published encoder wants its images: read from its folder, never guessed.

Shapes: n images, H x W x C stored pixels, h x w pixels that the encoder takes.
"""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...errors import InputError
from ...files import read_json

# Pillow's numbers, which transformers writes, and timm's names.
_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
_KNOWN = {"do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb"}
_HARMLESS = {"do_reduce_labels", "do_sample_frames"}  # of segmentation maps; prepare chooses frames
_FILES = ("preprocessor_config.json", "video_preprocessor_config.json", "processor_config.json")


@dataclass(frozen=True)
class Preprocessing:
    """What is done to pixels, in this order.

    side: pixels of the shorter side after resizing; size: (h, w) after resizing to a shape; at most one
        of them. crop: (h, w) of the centre that is kept. None = not done. resample: filter of the
        resizing. scale: factor of the values 0 to 255. mean, std: per channel, after that. corner: how
        half a pixel beside the crop is rounded, floor (transformers) or round (timm).
    """

    side: int | None
    size: tuple[int, int] | None
    crop: tuple[int, int] | None
    resample: str
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    corner: str

    @property
    def taken(self) -> tuple[int, int] | None:
        """(h, w) that the encoder gets of square images; None where their own size is kept."""
        return self.crop or self.size or ((self.side, self.side) if self.side else None)

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    def spoken(self) -> str:
        """What is done, in a line."""
        parts = [f"shorter side to {self.side} pixels ({self.resample})"] if self.side else []
        parts += ["to {} x {} pixels ({})".format(*self.size, self.resample)] if self.size else []
        parts += ["centre of {} x {}".format(*self.crop)] if self.crop else []
        mean, std = (", ".join(f"{v:g}" for v in values) for values in (self.mean, self.std))
        return "; ".join([*parts, f"values x {self.scale:.6g}, less {mean}, over {std}"])

    def __call__(self, images: np.ndarray) -> Tensor:
        """uint8 (n, H, W, C) -> float32 (n, C, h, w); grey images are repeated for colour."""
        channels = len(self.mean)
        if images.shape[-1] == 1 < channels:
            images = images.repeat(channels, axis=-1)
        x = np.stack([self._shaped(image) for image in images]) if self._reshapes(images) else images
        x_nchw = torch.from_numpy(np.ascontiguousarray(x)).permute(0, 3, 1, 2).float()
        mean, std = (torch.tensor(v, dtype=torch.float32).view(-1, 1, 1) for v in (self.mean, self.std))
        return (x_nchw * self.scale - mean) / std

    def _reshapes(self, images: np.ndarray) -> bool:
        size = images.shape[1:3]
        return size != (self.taken or size) or self.side not in (None, min(size))

    def _shaped(self, image: np.ndarray) -> np.ndarray:
        high, wide = image.shape[:2]
        if self.size or self.side:
            short, side = min(high, wide), self.side or 0
            # The longer side is cut to whole pixels, as both libraries do it.
            high, wide = self.size or (int(side * high / short), int(side * wide / short))
            image = _resized(image, high, wide, self.resample)
        if self.crop:
            corner = math.floor if self.corner == "floor" else round
            top, left = (corner((n - m) / 2) for n, m in zip((high, wide), self.crop, strict=True))
            image = image[top : top + self.crop[0], left : left + self.crop[1]]
        return image


def _resized(image: np.ndarray, high: int, wide: int, resample: str) -> np.ndarray:
    grey = image.shape[-1] == 1
    picture = Image.fromarray(image[..., 0] if grey else image)
    x = np.asarray(picture.resize((wide, high), Image.Resampling[resample.upper()]))
    return x[..., None] if grey else x


def of_plain(value: dict[str, Any]) -> Preprocessing:
    """From what ``plain`` gave."""
    return Preprocessing(**{name: tuple(v) if isinstance(v, list) else v for name, v in value.items()})


def of_transformers(folder: Path) -> Preprocessing:
    """What an image processor of transformers does, from its JSON.

    Raises:
        InputError: no such file, or one that asks for what is not done here.
    """
    path = next((folder / name for name in _FILES if (folder / name).is_file()), None)
    if path is None:
        raise InputError(
            f"{folder}: found no {_FILES[0]}, expected the preprocessing that the weights were trained "
            "with; copy it from where the weights come from"
        )
    found = read_json(path)
    found = found.get("image_processor") or found.get("video_processor") or found
    others = {k for k, v in found.items() if k.startswith("do_") and v} - _KNOWN - _HARMLESS
    others |= {k for k in ("rescale_offset", "include_top") if found.get(k)}
    if others:
        raise InputError(
            f"{path}: found {', '.join(sorted(others))}, expected none but {', '.join(sorted(_KNOWN))}"
        )
    side, size, crop = _sizes(found, path)
    if not (side or size or crop):
        raise InputError(f"{path}: do_resize: found false without a crop, expected a size of images")
    scale = found.get("rescale_factor", 1 / 255) if found.get("do_rescale", True) else 1.0
    if not isinstance(scale, int | float):
        raise InputError(f"{path}: rescale_factor: found {scale!r}, expected a number")
    mean, std = _statistics(found, path) if found.get("do_normalize", True) else ((0.0,) * 3, (1.0,) * 3)
    return Preprocessing(side, size, crop, _filter(found, path), scale, mean, std, "floor")


def _filter(found: dict[str, Any], path: Path) -> str:
    number = found.get("resample")
    if number not in _FILTERS:
        raise InputError(f"{path}: resample: found {number!r}, expected one of {list(_FILTERS)}")
    return _FILTERS[number]


def _sizes(found: dict[str, Any], path: Path) -> tuple[Any, Any, Any]:
    """(shorter side, shape, crop) of the three that processors know."""
    side = size = crop = None
    if found.get("do_resize", True):
        side, size = _size(found.get("size"), "size", path)
        if found.get("crop_pct") is not None and side:  # ConvNeXt's: the crop is taken of a larger image
            crop = (side, side) if side < 384 else None
            side, size = (int(side / found["crop_pct"]), None) if crop else (None, (side, side))
    if found.get("do_center_crop"):
        edge, shape = _size(found.get("crop_size"), "crop_size", path)
        crop = shape or (edge, edge)
    if crop and min(crop) > (side or min(size or crop)):
        raise InputError(f"{path}: crop_size: found {list(crop)}, expected no more than size")
    return side, size, crop


def _size(value: Any, field: str, path: Path) -> tuple[int | None, tuple[int, int] | None]:
    if isinstance(value, int):
        return value, None
    if isinstance(value, dict) and {"height", "width"} <= value.keys():
        return None, (int(value["height"]), int(value["width"]))
    if isinstance(value, dict) and value.get("shortest_edge") and not value.get("longest_edge"):
        return int(value["shortest_edge"]), None
    raise InputError(
        f"{path}: {field}: found {value!r}, expected a number, height and width, or shortest_edge"
    )


def _statistics(found: dict[str, Any], path: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    try:
        mean, std = (tuple(map(float, found[name])) for name in ("image_mean", "image_std"))
    except (KeyError, TypeError, ValueError):
        mean, std = (), ()
    if not mean or len(mean) != len(std) or min(std) <= 0:
        raise InputError(
            f"{path}: found image_mean {found.get('image_mean')} and image_std {found.get('image_std')}"
            ", expected lists of numbers, one per channel, image_std above 0"
        )
    return mean, std


def of_timm(config: dict[str, Any], path: Path) -> Preprocessing:
    """What timm does in evaluation, from ``pretrained_cfg`` of its config.json.

    Raises:
        InputError: a field is missing, or asks for what is not done here.
    """
    try:
        _, high, wide = config["input_size"]
        mean, std = tuple(config["mean"]), tuple(config["std"])
        resample, share, mode = config["interpolation"], config["crop_pct"], config["crop_mode"]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: pretrained_cfg: found no usable {error}") from None
    if mode not in ("center", "squash") or resample not in _FILTERS.values():
        raise InputError(
            f"{path}: pretrained_cfg: found crop_mode {mode!r} and interpolation {resample!r}, expected "
            f"center or squash, and one of {', '.join(_FILTERS.values())}"
        )
    larger = tuple(math.floor(n / share) for n in (high, wide))
    by_side = mode == "center" and larger[0] == larger[1]
    side, size = (larger[0], None) if by_side else (None, larger)
    return Preprocessing(side, size, (high, wide), resample, 1 / 255, mean, std, "round")
