"""Claim: ``jepa-steps judge`` opens a report on 10,000 x 384 embeddings with labels in 60 s.

    python benchmarks/judge.py [--rows 10000] [--classes 10]

Embeddings are class means and noise, with a batch and a donor in them, and 200 values of raw input. The
command is run as a user runs it, in a process of its own: --targets label age --group donor --nuisance
batch --raw x.npy. Seconds are of the whole process, imports included.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def write(folder: Path, rows: int, classes: int) -> None:
    """e.npy, x.npy and t.csv."""
    rng = np.random.default_rng(0)
    label, donor = rng.integers(0, classes, rows), rng.integers(0, 60, rows)
    batch, age = donor % 3, rng.normal(50, 10, rows)
    means, shifts = rng.normal(size=(classes, 384)), rng.normal(size=(3, 384))
    x = means[label] + 0.5 * shifts[batch] + 2 * rng.normal(size=(rows, 384))
    x[:, 0] += (age - 50) / 10
    np.save(folder / "e.npy", x.astype(np.float32))
    np.save(folder / "x.npy", (x[:, :200] + rng.normal(size=(rows, 200))).astype(np.float32))
    columns = zip(label, age, donor, batch, strict=True)
    lines = [f"c{c},{a:.2f},d{d},b{b}" for c, a, d, b in columns]
    (folder / "t.csv").write_text("\n".join(["label,age,donor,batch", *lines]) + "\n")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--rows", type=int, default=10_000)
    p.add_argument("--classes", type=int, default=10)
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, args.rows, args.classes)
        command = [
            sys.executable,
            "-m",
            "jepa_steps",
            "judge",
            "--embeddings",
            "e.npy",
            "--table",
            "t.csv",
        ]
        command += ["--targets", "label", "age", "--group", "donor", "--nuisance", "batch"]
        start = time.perf_counter()
        done = subprocess.run(
            [*command, "--raw", "x.npy", "--out", "r"], cwd=folder, capture_output=True, text=True
        )
        seconds = time.perf_counter() - start
        assert done.returncode == 0 and (folder / "r" / "report.html").is_file(), done.stderr
        said = next(line for line in done.stdout.splitlines() if line.startswith("embeddings: "))
    print(f"{args.rows:,} x 384, {args.classes} classes: {seconds:.0f} s\n{said}")


if __name__ == "__main__":
    main()
