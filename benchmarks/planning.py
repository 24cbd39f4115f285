"""Claim: planning 100 experiments (`snakemake -n`) takes <= 3 s, 200 <= 4 s. Run: python
benchmarks/planning.py [100]

Two ways to write the same experiments: every setting spelled out, as in config/config.yaml, and
only what differs from the defaults, as in the README. Reading YAML is most of the difference.
"""

import copy
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def plan(config: dict) -> float:
    """Seconds of wall time of one dry run in a folder without results."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "many.yaml"
        file.write_text(yaml.safe_dump(config))
        # What prepare reads of every data set of the config: planning stops where one is missing.
        shutil.copytree(ROOT / "config" / "cards", Path(folder) / "config" / "cards")
        command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "-s", str(ROOT / "Snakefile")]
        start = time.perf_counter()
        subprocess.run(
            [*command, "--configfile", str(file)], cwd=folder, check=True, capture_output=True
        )
        return time.perf_counter() - start


def main() -> None:
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    full = config["experiments"]["digits-jepa"]
    train = {key: full["train"][key] for key in ("encoder", "seed", "steps", "model")}
    forms = {"written out": full, "differences only": {"dataset": full["dataset"], "train": train}}
    for name, first in forms.items():
        config["experiments"] = {}
        for i in range(int(sys.argv[1]) if len(sys.argv) > 1 else 100):
            config["experiments"][f"seed-{i}"] = copy.deepcopy(first)
            config["experiments"][f"seed-{i}"]["train"]["seed"] = i
        times = sorted(plan(config) for _ in range(5))
        spread = f"least {times[0]:.2f} s, median {times[2]:.2f} s, most {times[-1]:.2f} s"
        print(f"{name}: {spread}, 5 runs, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
