"""Claim: beside one busy process, two threads that wait as jepa_steps lets them train at least 1.5 times
as fast as two that wait as OpenMP does by itself; alone they are as fast.

Rivals: libgomp's own spin, and sleeping at once (OMP_WAIT_POLICY=PASSIVE). The training is that of
the digits, shorter. Runs take turns; samples/s is the median between two rows of the log. Figures:
RESULTS.md.

    python benchmarks/busy_neighbour.py --neighbours 0 1
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from common import header

TRAIN = {
    "encoder": "jepa",
    "steps": 200,
    "batch_size": 128,
    "model": {"patch_size": 2, "dim": 64, "depth": 4, "heads": 2},
    "predictor": {"dim": 64, "depth": 2, "heads": 1, "context": "shared"},
    "masks": {"blocks": 2},
    "optimizer": {"lr": 0.002},
    "threads": 2,
    "validate_every": 200,
    "log_every": 20,
}
CARD = Path(__file__).parents[1] / "config" / "cards" / "digits.md"
# An empty OMP_WAIT_POLICY is none to libgomp, and keeps jepa_steps from setting anything.
WAITS = {"libgomp": {"OMP_WAIT_POLICY": ""}, "jepa_steps": {}, "sleep": {"OMP_WAIT_POLICY": "PASSIVE"}}


def python(*arguments: str, **environment: str) -> None:
    command = [sys.executable, "-m", *arguments]
    # Whoever imported jepa_steps has its setting already.
    inherited = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    subprocess.run(command, env={**inherited, **environment}, check=True, capture_output=True)


def samples_per_second(folder: Path, name: str, environment: dict[str, str]) -> float:
    out = folder / name
    python(
        "jepa_steps.train", "--spec", json.dumps(TRAIN), "--data", str(folder / "data"),
        "--out", str(out), "--checkpoints", str(folder / f"runs-{name}"), **environment,
    )  # fmt: skip
    with (out / "timing.csv").open() as file:
        return statistics.median(float(row["samples_per_second"]) for row in csv.DictReader(file))


def main() -> None:
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--neighbours", type=int, nargs="+", default=[0, 1], help="busy processes beside it")
    p.add_argument("--repeats", type=int, default=3, help="runs of each way")
    args = p.parse_args()
    header("how threads wait for each other, beside busy processes")
    folder = Path(tempfile.mkdtemp())
    spec = {"source": "digits", "path": str(CARD), "image_size": 8, "channels": 1}
    python("jepa_steps.prepare", "images", "--spec", json.dumps(spec), "--out", str(folder / "data"))
    for count in args.neighbours:
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
        try:
            found: dict[str, list[float]] = {name: [] for name in WAITS}
            for turn in range(args.repeats):
                for name, environment in WAITS.items():
                    found[name].append(samples_per_second(folder, f"{count}-{turn}-{name}", environment))
        finally:
            for process in busy:
                process.kill()
        speed = {name: statistics.median(values) for name, values in found.items()}
        said = [f"{name} {s:,.0f} ({s / speed['libgomp']:.2f} times)" for name, s in speed.items()]
        print(f"{count} busy: {', '.join(said)} samples/s", flush=True)


if __name__ == "__main__":
    main()
