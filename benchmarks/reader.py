"""Claim: threads read rows of images.npy that are in no cache at least twice as fast as one.

Random batches of 256 rows of 3 x 224 x 224 pixels (150 kB) from a file of 4 GB whose pages were dropped
before each round (root), and the same from a warm cache. Rival: indexing of the memory map, as before.
Wall seconds, interleaved rounds, the median. Run: python benchmarks/reader.py [GB]
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common
import numpy as np

from jepa_steps.arrays import write_npy_header
from jepa_steps.modalities.images.reader import Reader

SHAPE, BATCH, BATCHES, ROUNDS = (224, 224, 3), 256, 6, 5


def write(path: Path, rows: int) -> None:
    block = np.random.default_rng(0).integers(0, 256, (256, *SHAPE), dtype=np.uint8)
    with path.open("wb") as file:
        write_npy_header(file, "|u1", (rows, *SHAPE))
        for a in range(0, rows, len(block)):
            file.write(block[: rows - a].data)


def drop_cache() -> None:
    subprocess.run(["sync"], check=True)
    Path("/proc/sys/vm/drop_caches").write_text("3")


def main() -> None:
    common.header(__doc__.split("\n\n")[0])
    rows = int(float(sys.argv[1] if len(sys.argv) > 1 else 4) * 1e9 / np.prod(SHAPE))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npy"
        write(path, rows)
        images = np.load(path, mmap_mode="r")
        ways = {"memory map, one thread": images.__getitem__}
        ways |= {f"{n} threads": Reader(images, n) for n in (1, 2, 4, 8, 16)}
        rng = np.random.default_rng(1)
        for cache in ("cold", "warm"):
            seconds: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(ROUNDS):
                for name, read in ways.items():
                    batches = rng.integers(0, rows, (BATCHES, BATCH))
                    if cache == "cold":
                        drop_cache()
                    start = time.perf_counter()
                    for index in batches:
                        read(index)
                    seconds[name].append(time.perf_counter() - start)
            for name, times in seconds.items():
                rate = BATCHES * BATCH / np.median(times)
                print(f"{cache} cache, {name}: {rate:,.0f} rows/s", flush=True)


if __name__ == "__main__":
    main()
