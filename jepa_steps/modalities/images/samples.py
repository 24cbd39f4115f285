"""New images for a trained encoder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from .decode import open_image, to_pixels
from .folders import all_files
from .settings import ImageDataset


def read(path: Path, description: dict[str, Any]) -> tuple[list[str], Callable[[int, int], np.ndarray]]:
    """File names below a folder, and a function from a range of them to uint8 (B, H, W, C), decoded as
    the encoder takes them.

    Raises:
        InputError: no images, or one that cannot be decoded, when it is read.
    """
    size, channels = description["image_size"], description["channels"]
    files, limit = all_files(path), ImageDataset.model_fields["max_pixels"].default

    def decoded(file: Path) -> np.ndarray:
        try:
            return to_pixels(open_image(file, limit), size, channels)
        except ValueError as error:
            raise InputError(f"{file}: {error}") from None

    names = [str(file.relative_to(path)) for file in files]
    return names, lambda a, b: np.stack([decoded(file) for file in files[a:b]])
