"""Claims: 100,000 windows of time series and more are drawn in a second on one core, several times as
many as by a DataLoader over lists; 100,000 series of 1,000 steps are prepared with at most 512 MB of
memory growth.

    python benchmarks/series_windows.py [--series 100000]

Rival: torch.utils.data.DataLoader without workers over a list of starts, whose item is a slice as a
tensor. Both draw the same random windows of 96 steps and 7 channels from one series of 200,000 steps, in
batches of 256, ten times in turn; median seconds. Memory: the largest resident set (VmHWM) of a process
that prepares an .npy of N x 1,000 values, less that of one that imports the same.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from jepa_steps.data.windows import Windows

STEPS, CHANNELS, CONTEXT, BATCH, BATCHES = 200_000, 7, 96, 256, 100
PREPARE = """
import re, sys
from pathlib import Path
from jepa_steps.config.training import parse_dataset
from jepa_steps.modalities.series.prepare import prepare
if len(sys.argv) > 2:
    spec = {"source": "arrays", "path": sys.argv[1], "on_shared": "fail"}
    prepare(parse_dataset(spec, "series", "series"), Path(sys.argv[2]), 1)
status = Path("/proc/self/status").read_text()
print(int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) // 1024)
"""


class Slices(Dataset):
    def __init__(self, values: np.ndarray, starts: list[int]):
        self.values, self.starts = values, starts

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, i: int) -> torch.Tensor:
        return torch.from_numpy(self.values[self.starts[i] : self.starts[i] + CONTEXT])


def speed() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(STEPS, CHANNELS)).astype(np.float32)
    windows = Windows(np.array([0]), np.array([STEPS]), CONTEXT, 0, 1)
    rows = rng.integers(0, len(windows), BATCH * BATCHES)
    loader = DataLoader(Slices(values, rows.tolist()), batch_size=BATCH)
    ours, theirs = [], []
    for _ in range(10):
        start = time.perf_counter()
        for a in range(0, len(rows), BATCH):
            x = torch.from_numpy(windows.values(values, rows[a : a + BATCH]))
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        *_, y = loader
        theirs.append(time.perf_counter() - start)
        assert torch.equal(x, y)
    a, b = (statistics.median(s) for s in (ours, theirs))
    print(f"windows: {len(rows) / a:,.0f} a second, DataLoader {len(rows) / b:,.0f}; {b / a:.1f} times")


def memory(series: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "x.npy"
        x = np.lib.format.open_memmap(path, "w+", np.float32, (series, 1000))
        for a in range(0, series, 10_000):
            x[a : a + 10_000] = np.random.default_rng(a).normal(size=(min(10_000, series - a), 1000))
        del x
        peaks, start = [], time.perf_counter()
        for arguments in ([], [str(path), f"{scratch}/out"]):
            start = time.perf_counter()
            done = subprocess.run([sys.executable, "-c", PREPARE, *arguments], capture_output=True,
                                  text=True, check=True)  # fmt: skip
            peaks.append(int(done.stdout.split()[-1]))
        seconds = time.perf_counter() - start
        print(f"prepare: {series:,} series x 1,000 steps in {seconds:.0f} s, memory growth "
              f"{peaks[1] - peaks[0]} MiB ({peaks[1]} MiB in all)")  # fmt: skip


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--series", type=int, default=100_000)
    args = p.parse_args()
    torch.set_num_threads(1)
    speed()
    memory(args.series)


if __name__ == "__main__":
    main()
