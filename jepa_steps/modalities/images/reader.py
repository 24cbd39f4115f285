"""Rows of images.npy, read by several threads, the next batch's while this one is trained on.

One thread waits for every page of the file in turn; several keep a disk's queue full. Reads let go of
Python's lock, so threads are enough.

Shapes: b rows, H x W x C pixels.
"""

import os
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

THREADS = 8  # of one process; benchmarks/reader.py


class Reader:
    """Rows of a memory-mapped array.

    Args:
        images: (n, H, W, C), as ``np.load(..., mmap_mode="r")`` gives it.
        threads: that read at a time.
    """

    def __init__(self, images: np.memmap, threads: int = THREADS):
        self._file = os.open(images.filename, os.O_RDONLY)
        self._shape, self._dtype, self._start = images.shape[1:], images.dtype, images.offset
        self._bytes, self._threads = int(images[:1].nbytes), threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="reader")
        self._coming: tuple[np.ndarray, np.ndarray, list[Future]] | None = None

    def ahead(self, index: np.ndarray) -> None:
        """Begin to read rows int64 (b,), which the next call will ask for."""
        rows = np.empty((len(index), *self._shape), self._dtype)
        pieces = np.array_split(np.arange(len(index)), min(self._threads, len(index)))
        jobs = [self._pool.submit(self._read, rows, index, piece) for piece in pieces]
        self._coming = index, rows, jobs

    def __call__(self, index: np.ndarray) -> np.ndarray:
        """Rows (b, H, W, C); those that were begun, or others at once.

        Raises:
            OSError: the file cannot be read, or ends too early.
        """
        if self._coming is None or not np.array_equal(self._coming[0], index):
            self.ahead(index)
        _, rows, jobs = self._coming
        self._coming = None
        for job in jobs:
            job.result()
        return rows

    def _read(self, rows: np.ndarray, index: np.ndarray, piece: np.ndarray) -> None:
        for place in piece:
            start = self._start + int(index[place]) * self._bytes
            if os.preadv(self._file, [rows[place].reshape(-1).view(np.uint8)], start) != self._bytes:
                raise OSError(f"images.npy: row {index[place]} is cut off")

    def __del__(self):
        self._pool.shutdown(wait=True)
        os.close(self._file)
