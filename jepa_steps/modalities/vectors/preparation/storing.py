"""Numbers as they are stored: float32, checked block by block."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ....arrays import write_npy_header
from ....errors import InputError
from ..sources.arrays import Rows

_BLOCK = 64 * 2**20  # bytes


def store(
    rows: Rows, kept: np.ndarray, path: Path, shaped: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Write the rows int64 (k,) as float32; returns the written array, memory-mapped.

    Args:
        shaped: what is done with a block (b, ...) before it is stored.

    Raises:
        InputError: NaN or infinity, or a number beyond float32; names the row and counts them.
    """
    with path.open("wb") as file:
        for number, block in enumerate(_blocks(rows, kept)):
            part = np.ascontiguousarray(shaped(block), "<f4")
            if not number:
                write_npy_header(file, "<f4", (len(kept), *part.shape[1:]))
            file.write(part.data)
    return np.load(path, mmap_mode="r")


def _blocks(rows: Rows, kept: np.ndarray) -> Iterator[np.ndarray]:
    for numbers, block in _read(rows, kept):
        if (bad := _not_finite(block)).any():
            row = int(numbers[bad.argmax()])
            number = sum(int(_not_finite(block).sum()) for _, block in _read(rows, kept))
            name = f" ({rows.names[row]!r})" if rows.names else ""
            raise InputError(
                f"{rows.place}: row {row}{name} holds NaN, infinity or a number beyond float32, "
                f"expected finite ones ({number} of {len(kept)} rows do); leave these rows out"
            )
        yield block


def _read(rows: Rows, kept: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(row numbers (b,), their values float64 (b, ...)), block by block."""
    size = max(1, _BLOCK // (8 * int(np.prod(rows.values.shape[1:]))))
    for a in range(0, len(kept), size):
        yield kept[a : a + size], np.asarray(rows.values[kept[a : a + size]], dtype=np.float64)


def _not_finite(block: np.ndarray) -> np.ndarray:
    """bool (b,), whether a row holds what float32 cannot."""
    return ~(np.abs(block.reshape(len(block), -1)) <= np.finfo(np.float32).max).all(1)


def constant_columns(array: np.ndarray) -> int:
    """How many of the columns of (k, D) hold one value."""
    low, high = array[0].copy(), array[0].copy()
    for a in range(0, len(array), 4096):
        block = array[a : a + 4096]
        np.minimum(low, block.min(0), out=low)
        np.maximum(high, block.max(0), out=high)
    return int((low == high).sum())


def equal_to_training(array: np.ndarray, split: np.ndarray) -> int:
    """Rows (k, D) of val and test that are equal to one of training, to the last bit."""
    digests = np.array([hashlib.blake2b(row, digest_size=8).digest() for row in array], "S8")
    return int(np.isin(digests[split > 0], digests[split == 0]).sum())
