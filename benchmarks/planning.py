"""Claim: planning 100 experiments (`snakemake -n`) takes <= 3 s. Run: python benchmarks/planning.py"""

import copy
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def main() -> None:
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    first = config["experiments"].pop("digits-jepa")
    config["experiments"] = {}
    for i in range(100):
        experiment = copy.deepcopy(first)
        experiment["train"]["seed"] = i
        config["experiments"][f"seed-{i}"] = experiment
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "many.yaml"
        file.write_text(yaml.safe_dump(config))
        (Path(folder) / "config" / "cards").mkdir(parents=True)
        (Path(folder) / "config" / "cards" / "digits.md").touch()
        command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "-s", str(ROOT / "Snakefile")]
        for _ in range(3):
            start = time.perf_counter()
            subprocess.run(
                [*command, "--configfile", str(file)], cwd=folder, check=True, capture_output=True
            )
            print(f"{time.perf_counter() - start:.2f} s wall for 100 experiments")


if __name__ == "__main__":
    main()
