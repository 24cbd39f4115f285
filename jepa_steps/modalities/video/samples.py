"""New videos for a trained encoder."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...data.folders import all_files
from ...errors import InputError
from .preparation.containers import SUFFIXES, check_name, need_pyav
from .preparation.look import Look
from .preparation.reading import Told, read_frames
from .sources.folder import VIDEOS


def read(path: Path, description: dict[str, Any]) -> tuple[list[str], Callable[[int, int], np.ndarray]]:
    """Names of the video files below a folder, or of one file, and a function from a range of them to
    uint8 (B, T, H, W, C): the first clip of each, at the rate and in the size that the encoder was
    trained on.

    Raises:
        InputError: nothing there, no videos; or, when it is read, one that cannot be decoded or is
        shorter than a clip.
    """
    need_pyav()
    files, length, rate = _files(path), description["clip_length"], description["frame_rate"]
    size, channels = tuple(description["image_size"]), description["channels"]
    look = Look(size, channels, description["resize"], rate, length)

    def clip(file: Path) -> np.ndarray:
        """The first clip of a file, uint8 (T, H, W, C)."""
        check_name(file)
        frames = list(read_frames(file, look, Told()))
        if len(frames) < length:
            at = f" at {rate:g} per second" if rate else ""
            raise InputError(
                f"{file}: found {len(frames)} frames{at}, expected at least {length}, a clip as the "
                "encoder takes it; leave the file out"
            )
        return np.stack(frames)

    root = path if path.is_dir() else path.parent
    names = [str(file.relative_to(root)) for file in files]
    return names, lambda a, b: np.stack([clip(file) for file in files[a:b]])


def _files(path: Path) -> list[Path]:
    expected = "expected a video file, or a folder of video files"
    if not path.exists():
        raise InputError(f"{path} does not exist; {expected}")
    if not path.is_dir():
        check_name(path)
        return [path]
    if not any(path.iterdir()):
        raise InputError(f"{path}: found an empty folder, {expected}")
    files = all_files(path, VIDEOS)
    if not any(file.suffix.lower() in SUFFIXES for file in files):
        endings = Counter(file.suffix.lower() or "no ending" for file in files)
        found = ", ".join(f"{number} {ending}" for ending, number in endings.most_common(3))
        raise InputError(
            f"{path}: found no videos ({', '.join(SUFFIXES)}) but files: {found}; {expected}"
        )
    return files
