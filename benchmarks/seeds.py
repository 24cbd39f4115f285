"""An experiment of a config file over several seeds, beside its floors: paired differences.

    python benchmarks/seeds.py config/config.yaml digits-jepa 0 1 2

Steps run as in the workflow; results under runs/seeds/. Prints accuracy by seed, and for each floor
the mean paired difference (points) with the 95 % interval over test samples, seeds averaged.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml

from jepa_steps.metrics.probes import bootstrap_interval
from jepa_steps.report import read_predictions

OUT = Path("runs/seeds")


def step(name: str, *arguments: object) -> None:
    subprocess.run([sys.executable, "-m", f"jepa_steps.{name}", *map(str, arguments)], check=True)


def run(name: str, experiment: dict, data: Path) -> dict[str, np.ndarray]:
    folder = {s: OUT / s / name for s in ("train", "embed", "probe")}
    step("train", "--spec", json.dumps(experiment["train"]), "--data", data, "--out", folder["train"],
         "--checkpoints", OUT / "checkpoints")  # fmt: skip
    step("embed", "--spec", json.dumps(experiment["embed"]), "--data", data,
         "--encoder", folder["train"], "--out", folder["embed"])  # fmt: skip
    step("probe", "--spec", json.dumps(experiment["probe"]), "--splits", data / "splits.csv",
         "--embeddings", folder["embed"] / "embeddings.npy", "--out", folder["probe"])  # fmt: skip
    return read_predictions(folder["probe"] / "predictions.csv")["correct"]


def main() -> None:
    file, name, *seeds = sys.argv[1:]
    config = yaml.safe_load(Path(file).read_text())
    experiment = config["experiments"][name]
    data = OUT / "data" / experiment["dataset"]
    step("prepare", "--spec", json.dumps(config["datasets"][experiment["dataset"]]), "--out", data)
    floors = {
        n: run(n, e, data)
        for n, e in config["experiments"].items()
        if e["dataset"] == experiment["dataset"] and e["train"]["encoder"] != "jepa"
    }
    trained = []
    for seed in seeds:
        experiment["train"]["seed"] = int(seed)
        trained.append(run(f"{name}-seed{seed}", experiment, data))
    for measure in ("logistic", "few10"):
        print(measure, {s: f"{t[measure].mean():.4f}" for s, t in zip(seeds, trained, strict=True)})
        for floor, correct in floors.items():
            difference = 100 * (np.mean([t[measure] for t in trained], axis=0) - correct[measure])
            low, high = bootstrap_interval(difference, 4000, 0)
            print(
                f"  {floor} {correct[measure].mean():.4f}: {difference.mean():+.2f} points "
                f"[{low:+.2f}, {high:+.2f}], n = {len(difference)}, {len(seeds)} seeds"
            )


if __name__ == "__main__":
    main()
