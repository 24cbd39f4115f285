"""New videos for a trained encoder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...data.folders import all_files
from ...errors import InputError
from .preparation.containers import check_name, need_pyav
from .preparation.look import Look
from .preparation.reading import Told, read_frames
from .sources.folder import VIDEOS


def read(path: Path, description: dict[str, Any]) -> tuple[list[str], Callable[[int, int], np.ndarray]]:
    """Names of the video files below a folder, and a function from a range of them to uint8 (B, T, H, W,
    C): the first clip of each, at the rate and in the size that the encoder was trained on.

    Raises:
        InputError: no videos; or, when it is read, one that cannot be decoded or is shorter than a clip.
    """
    need_pyav()
    files, length, rate = all_files(path, VIDEOS), description["clip_length"], description["frame_rate"]
    size, channels = tuple(description["image_size"]), description["channels"]
    look = Look(size, channels, description["resize"], rate, length)

    def clip(file: Path) -> np.ndarray:
        check_name(file)
        frames = list(read_frames(file, look, Told()))
        if len(frames) < length:
            at = f" at {rate:g} a second" if rate else ""
            raise InputError(
                f"{file}: found {len(frames)} frames{at}, expected at least {length}, a clip as the "
                "encoder takes it; leave the file out"
            )
        return np.stack(frames)

    names = [str(file.relative_to(path)) for file in files]
    return names, lambda a, b: np.stack([clip(file) for file in files[a:b]])
