"""New images for a trained encoder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...data.folders import Listed
from ...errors import InputError
from .dataset import ImageDataset
from .folders import all_files
from .preparation.decode import decoded, forget
from .preparation.form import Form, find_form
from .preparation.tiles import tiled
from .sources import of_files


def read(path: Path, description: dict[str, Any]) -> tuple[list[str], Callable[[int, int], np.ndarray]]:
    """Names of the images below a folder, and a function from a range of them to (B, H, W, C), decoded
    as the encoder takes them: as the data set was that it was trained on.

    Raises:
        InputError: no images, or one that cannot be decoded, when it is read.
    """
    size, channels = description["image_size"], description["channels"]
    dataset = ImageDataset(
        source="folder",
        path=str(path),
        image_size=size,
        channels=channels,
        **description.get("reading", {}),
    )
    if path.suffix.lower() == ".zarr":
        raise InputError(f"{path}: found an image, expected a folder of images")
    forget()
    files = all_files(path)
    found = Listed(path, files, [-1] * len(files), [None] * len(files), [])
    source = of_files(found, dataset)
    source = source if dataset.tile is None else tiled(source, dataset)
    form = find_form([(source.items(i), name) for i, name in enumerate(source.names[:100])], dataset)
    expected = description.get("values", {"dtype": "uint8"})["dtype"]
    if form.dtype != expected:
        raise InputError(
            f"{path}: found {form.dtype} images ({form.first}: {form.what}), the encoder takes "
            f"{expected}"
        )

    _same_files(path, list(source.channels or form.names), form, description)

    def one(i: int) -> np.ndarray:
        try:
            return decoded(source.items(i), source.names[i], form, dataset).pixels
        except ValueError as error:
            raise InputError(f"{path / source.names[i]}: {error}") from None

    return source.names, lambda a, b: np.stack([one(i) for i in range(a, min(b, len(source.names)))])


def _same_files(path: Path, names: list[str], form: Form, description: dict[str, Any]) -> None:
    """Raises InputError where files do not mean what those of the data set meant."""
    of_files = description.get("of_files", {})
    wanted = of_files.get("channels", names)
    if names != wanted:
        raise InputError(
            f"{path}: found channels {', '.join(names) or 'without names'}, the encoder was trained on "
            f"{', '.join(wanted)}"
        )
    if form.picture:
        return
    layout = of_files.get("layout", "")
    if form.layout != layout:
        raise InputError(
            f"{path}: found the layout {form.layout or 'none'} ({form.first}), the encoder was trained "
            f"on {layout or 'none'}"
        )
    if form.tag is not None and form.tag not in (of_files.get("no_data"), form.no_data):
        raise InputError(
            f"{path}: found the no-data value {form.tag:g} ({form.first}), the encoder was trained on "
            f"{of_files.get('no_data', form.no_data)}"
        )
