"""Claim: prepare's peak memory does not grow with the number of images.

2,000 and 20,000 JPEG files of 64x64 RGB, resized to 32: peak resident memory of the prepare process
and the largest of its workers. Run: python benchmarks/prepare_memory.py
"""

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

CHILD = """
import resource, sys
from jepa_steps import prepare
prepare.main(sys.argv[1:])
own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(f"PEAK {own:.0f} {worker:.0f}")
"""


def peak(folder: Path, n: int) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    for i in range(n):
        target = folder / str(n) / f"class{i % 10}"
        target.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)).save(target / f"{i}.jpg")
    spec = json.dumps({"source": "folder", "path": str(folder / str(n)), "image_size": 32})
    command = [
        sys.executable,
        "-c",
        CHILD,
        "images",
        "--spec",
        spec,
        "--out",
        str(folder / f"out{n}"),
        "--workers",
        "2",
    ]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    own, worker = out.split("PEAK ")[1].split()
    return float(own), float(worker)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for n in (2_000, 20_000):
            own, worker = peak(Path(folder), n)
            print(f"{n:6} images: prepare {own:.0f} MiB, largest worker {worker:.0f} MiB")
    print(f"(this script itself: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB)")


if __name__ == "__main__":
    main()
