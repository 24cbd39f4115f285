"""New images for a trained encoder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from .decode import open_image, to_pixels
from .settings import ImageDataset
from .sources import read_source


def read(path: Path, description: dict[str, Any]) -> tuple[list[str], Callable[[int, int], np.ndarray]]:
    """File names below a folder, and a function from a range of them to uint8 (B, H, W, C), decoded as
    the encoder takes them.

    Raises:
        InputError: no images, or one that cannot be decoded, when it is read.
    """
    size, channels = description["image_size"], description["channels"]
    dataset = ImageDataset(source="folder", path=str(path), image_size=size, channels=channels)
    source = read_source(dataset)

    def decoded(file: Path) -> np.ndarray:
        try:
            return to_pixels(open_image(file, dataset.max_pixels), size, channels)
        except ValueError as error:
            raise InputError(f"{file}: {error}") from None

    return source.names, lambda a, b: np.stack([decoded(source.items(i)) for i in range(a, b)])
