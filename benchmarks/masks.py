"""Claim: the batch mask sampler is >= 25x faster a sample than lightly's IJEPAMaskCollator.

Rival: lightly.data.IJEPAMaskCollator (the reference I-JEPA sampler), 16x16 grid, batch 128, default
ImageNet settings on both sides. One thread, interleaved repeats, best of each. Run:

    pip install -c constraints.txt lightly && python benchmarks/masks.py
"""

import platform
import time
from importlib.metadata import version

import numpy as np
import torch

from jepa_steps.data.masks import MultiBlockMasks
from jepa_steps.model.torchvision_import import import_torchvision

import_torchvision()  # lightly imports torchvision, which needs help beside a CPU-only torch
from lightly.data.ijepa_collate import IJEPAMaskCollator  # noqa: E402

BATCH, GRID, REPEATS = 128, (16, 16), 7


def seconds(call, calls: int) -> float:
    start = time.process_time()
    for i in range(calls):
        call(i)
    return (time.process_time() - start) / calls


def main() -> None:
    torch.set_num_threads(1)
    ours = MultiBlockMasks(GRID, seed=0)
    theirs = IJEPAMaskCollator(input_size=(256, 256), patch_size=16, nenc=1, npred=4)
    images = [(torch.zeros(1), 0)] * BATCH
    epoch = np.zeros(BATCH, int)
    times = {"jepa-steps": [], "lightly": []}
    for _ in range(REPEATS):
        times["jepa-steps"].append(seconds(lambda i: ours(i, epoch, np.arange(BATCH) + BATCH * i), 100))
        times["lightly"].append(seconds(lambda i: theirs(images), 8))
    rate = {name: BATCH / min(t) for name, t in times.items()}
    print(f"{platform.machine()}, lightly {version('lightly')}, torch {torch.__version__}")
    for name, value in rate.items():
        print(f"{name:12} {value:10,.0f} samples/s")
    print(f"ratio {rate['jepa-steps'] / rate['lightly']:.1f}")


if __name__ == "__main__":
    main()
