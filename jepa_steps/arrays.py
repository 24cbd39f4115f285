"""Arrays on disk: mapped, read in blocks whose pages are given back, checked.

Part of the code digest of every step.
"""

import mmap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .errors import InputError


def write_npy_header(file: BinaryIO, dtype: str, shape: tuple[int, ...]) -> None:
    """Start an .npy file whose values follow as plain bytes, so that no mapped page counts as memory.

    The first axis may be corrected later in place: numpy pads headers for that.
    """
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def map_array(path: Path) -> np.ndarray:
    """A memory-mapped, read-only array.

    Raises:
        InputError: missing or damaged file, or one that holds objects.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged header raises what Python's parser raises
        raise InputError(f"{path}: not a readable .npy file: {error}") from None


def read_array(path: Path, axes: str) -> np.ndarray:
    """A memory-mapped array of finite numbers; ``axes`` names its dimensions: "rows, dimensions".

    Raises:
        InputError: missing or damaged file, other dimensions, text, or values that are not finite.
    """
    if path.is_dir():
        raise InputError(f"{path}: found a folder, expected an .npy file in it")
    array = map_array(path)
    if array.ndim != len(axes.split(", ")) or array.dtype.kind not in "fiu":
        raise InputError(
            f"{path}: found shape {array.shape} of {array.dtype}, expected numbers ({axes})"
        )
    if not array.shape[-1]:
        raise InputError(f"{path}: found shape {array.shape}: 0 {axes.split(', ')[-1]}, expected some")
    for a in range(0, len(array), 4096):
        finite = np.isfinite(array[a : a + 4096]).reshape(len(array[a : a + 4096]), -1).all(1)
        if not finite.all():
            raise InputError(
                f"{path}: row {a + int(finite.argmin())} holds NaN or infinity; training diverged"
            )
        release(array)
    return array


def release(array: object) -> None:
    """Give back the pages of a read-only memory map that were read; they count as resident memory."""
    if isinstance(array, np.memmap) and array.mode == "r":
        array._mmap.madvise(mmap.MADV_DONTNEED)


_WIDE, _KEPT = 4096, 2048  # dimensions


def every(dim: int) -> int:
    """Of very wide embeddings, which raw values are, every how-manieth dimension is measured: matrices
    of dimensions by dimensions would not fit into memory."""
    return 1 if dim <= _WIDE else -(-dim // _KEPT)


def narrowed(array: np.ndarray) -> np.ndarray:
    """The dimensions, along the last axis, that are measured; a view."""
    return array[..., :: every(array.shape[-1])]


@dataclass(frozen=True)
class Rows:
    """Rows of a matrix by number, read when they are sliced: for going through many in blocks.

    read: rows int64 (b,) -> (b, D). index: int64 (n,). width: D.
    """

    read: Callable[[np.ndarray], Any]
    index: np.ndarray
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.index), self.width

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, some: slice) -> Any:
        return self.read(self.index[some])


def rows_of(array: np.ndarray, index: np.ndarray) -> Rows:
    """Rows int64 (n,) of an array (N, D), whose mapped pages are given back after each block."""

    def read(some: np.ndarray) -> np.ndarray:
        block = array[some]
        release(array)
        return block

    return Rows(read, index, array.shape[1])
