"""Claims: a store of 100,000 images of 64 x 64 with 5 channels of 16 bit is prepared with at most 512
MB of memory growth; its normalised training batches come at 80 % or more of the bytes per second of
8-bit RGB.

    python benchmarks/scientific_store.py [--images 100000]

Source: one .npy (images, 5, 64, 64), uint16, generated block by block. Memory: the largest sum of the
unique set sizes (USS) of prepare and its workers, sampled 5 times a second, less that of a process that
imports the same. Batches: 64 images by number, read from the store and normalised on the CPU, of the
16-bit store and of an 8-bit RGB store of as many images, in turn, 15 rounds; bytes of the store per
second, medians. Both stores were just written, so that the page cache holds what memory allows; the
first 20,000 images of each are read.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import torch

from jepa_steps.config.training import parse_training
from jepa_steps.modalities.images.batches import Images
from jepa_steps.modalities.images.store import open_store

SIDE, READ, BATCH, ROUNDS = 64, 20_000, 64, 15
PREPARE = """
import sys, time
from jepa_steps import prepare
from jepa_steps.modalities.images import prepare as _
if __name__ == "__main__":
    prepare.main(sys.argv[1:]) if len(sys.argv) > 1 else time.sleep(1)
"""
TRAIN = {"encoder": "jepa", "model": {"patch_size": 8, "dim": 32, "depth": 1, "heads": 1}}


def generate(path: Path, n: int, channels: int, dtype: str) -> None:
    """Images of noise over a level of their own, (n, C, 64, 64) or for pictures (n, 64, 64, 3)."""
    rng, top = np.random.default_rng(0), np.iinfo(dtype).max
    shape = (channels, SIDE, SIDE) if channels > 3 else (SIDE, SIDE, channels)
    out = np.lib.format.open_memmap(path, "w+", dtype, (n, *shape))
    for a in range(0, n, 1000):
        out[a : a + 1000] = rng.integers(0, top, (min(1000, n - a), *shape), dtype)
    out.flush()


def growth(script: Path, *arguments: str) -> tuple[float, float]:
    """(largest USS of a process and those that it starts, MiB; seconds)."""
    began = time.perf_counter()
    child = subprocess.Popen([sys.executable, str(script), *arguments], stdout=subprocess.DEVNULL)
    most, process = 0, psutil.Process(child.pid)
    while child.poll() is None:
        total = 0
        for one in [process, *process.children(recursive=True)]:
            try:
                total += one.memory_full_info().uss
            except psutil.NoSuchProcess:
                continue
        most = max(most, total)
        time.sleep(0.2)
    if child.returncode:
        raise SystemExit(f"prepare failed: {arguments}")
    return most / 2**20, time.perf_counter() - began


def rates(stores: dict[str, Path]) -> dict[str, float]:
    """Bytes of the store per second, medians over rounds that take turns."""
    train = parse_training(TRAIN, "benchmark", "images")
    opened = {name: open_store(path) for name, path in stores.items()}
    read = {name: Images(train, store, torch.device("cpu")) for name, store in opened.items()}
    found: dict[str, list[float]] = {name: [] for name in stores}
    rng = np.random.default_rng(1)
    for _ in range(ROUNDS):
        for name, images in read.items():
            index = [rng.integers(0, READ, BATCH) for _ in range(30)]
            began = time.perf_counter()
            for some in index:
                images(some)
            size = opened[name].images[:1].nbytes * BATCH * len(index)
            found[name].append(size / (time.perf_counter() - began))
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--images", type=int, default=100_000)
    n = arguments.parse_args().images
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as name:
        folder, stores = Path(name), {}
        (folder / "child.py").write_text(PREPARE)
        base, _ = growth(folder / "child.py")
        for kind, channels, dtype in (("uint16, 5 channels", 5, "uint16"), ("uint8, RGB", 3, "uint8")):
            source, stores[kind] = folder / f"{dtype}.npy", folder / dtype
            generate(source, n if channels == 5 else min(n, 30_000), channels, dtype)
            spec = {"source": "npy", "path": str(source), "image_size": SIDE}
            most, seconds = growth(
                folder / "child.py", "images", "--spec", json.dumps(spec), "--out", str(stores[kind]),
                "--workers", "2",
            )  # fmt: skip
            source.unlink()
            print(f"{kind}: prepare's memory grew by {most - base:.0f} MiB, {seconds:.0f} s", flush=True)
        found = rates(stores)
    for kind, rate in found.items():
        print(f"{kind}: batches at {rate / 1e6:.0f} MB of the store per second")
    of_16, of_8 = found.values()
    print(f"16-bit over 8-bit bytes per second: {of_16 / of_8:.2f}")


if __name__ == "__main__":
    main()
