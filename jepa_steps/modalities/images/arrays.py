"""Images in arrays: .npz, and IDX files of the MNIST family."""

import gzip
from pathlib import Path

import numpy as np

from ...data.splits import SPLITS
from ...errors import InputError

# (images (n, H, W[, C]), labels (n,) or None, split code) of each part.
Parts = list[tuple[np.ndarray, np.ndarray | None, int]]


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Arrays by name.

    Raises:
        InputError: damaged, or not an .npz without pickles.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # a damaged archive raises what its decoder raises
        raise InputError(f"{path}: not a readable .npz without pickles: {error}") from None


def npz_parts(arrays: dict[str, np.ndarray], path: Path) -> Parts:
    """Images and labels of each part, by the usual names.

    Raises:
        InputError: names that mean nothing here.
    """
    if "images" in arrays:
        return [(arrays["images"], arrays.get("labels"), -1)]
    parts = []
    for split, name in enumerate(SPLITS):
        for images, labels in ((f"x_{name}", f"y_{name}"), (f"{name}_images", f"{name}_labels")):
            if images in arrays:
                parts.append((arrays[images], arrays.get(labels), split))
    if not parts or parts[0][2] != 0:
        raise InputError(
            f"{path}: found arrays {', '.join(sorted(arrays)) or 'none'}, expected images/labels, "
            "x_train/y_train/x_test/y_test, or train_images/train_labels/test_images/test_labels"
        )
    return parts


def idx_parts(path: Path) -> Parts:
    """Images and labels of train and test.

    Raises:
        InputError: no such files, or damaged ones.
    """
    parts = []
    for split, prefixes in ((0, ("train",)), (2, ("t10k", "test"))):
        images = _one(path, [f"{p}-images*" for p in prefixes])
        labels = _one(path, [f"{p}-labels*" for p in prefixes])
        if images is not None:
            parts.append((_read_idx(images), _read_idx(labels) if labels else None, split))
    if not parts or parts[0][2] != 0:
        raise InputError(f"{path}: no train-images* file, expected IDX files of the MNIST family")
    return parts


def _one(folder: Path, patterns: list[str]) -> Path | None:
    found = sorted(f for pattern in patterns for f in folder.glob(pattern))
    return found[0] if found else None


def _read_idx(path: Path) -> np.ndarray:
    """An IDX file: two zero bytes, type code 8 (uint8), rank, big-endian int32 sizes, data."""
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            data = file.read()
    except Exception as error:  # as above
        raise InputError(f"{path}: cannot be read: {error}") from None
    if len(data) < 8 or data[:3] != b"\0\0\x08":
        raise InputError(f"{path}: not an IDX file of unsigned bytes (starts {data[:4].hex()})")
    start = 4 + 4 * data[3]
    shape = tuple(int(n) for n in np.frombuffer(data[4:start], ">i4"))
    if len(data) - start != int(np.prod(shape)):
        raise InputError(
            f"{path}: found {len(data) - start} bytes, expected {int(np.prod(shape))} for {shape}; "
            "the file is truncated or damaged"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
