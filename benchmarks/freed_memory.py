"""Claim: keeping freed memory makes a forward pass of random kernels on the CPU about twice as fast.

    python benchmarks/freed_memory.py

128 series of 150 steps, 512 kernels, one thread; two processes in turn, three times each, one with
glibc's own thresholds and one after ``engine.memory.keep_freed``; median milliseconds of a pass.
"""

import statistics
import subprocess
import sys

PASS = """
import sys, time, torch
from jepa_steps.engine.memory import keep_freed
from jepa_steps.modalities.series.kernels import Kernels
if sys.argv[1] == "kept":
    keep_freed()
torch.set_num_threads(1)
kernels, x = Kernels(512, 150, 1, 0, False), torch.randn(128, 150, 1)
for _ in range(3):
    kernels(x, 15, 10)
start = time.perf_counter()
for _ in range(20):
    kernels(x, 15, 10)
print((time.perf_counter() - start) / 20)
"""


def main() -> None:
    found = {"own": [], "kept": []}
    for _ in range(3):
        for name, seconds in found.items():
            done = subprocess.run([sys.executable, "-c", PASS, name], capture_output=True, text=True,
                                  check=True)  # fmt: skip
            seconds.append(float(done.stdout))
    own, kept = (1e3 * statistics.median(seconds) for seconds in found.values())
    print(f"own thresholds {own:.0f} ms, freed memory kept {kept:.0f} ms: {own / kept:.1f} times")


if __name__ == "__main__":
    main()
