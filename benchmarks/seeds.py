"""An experiment of a config file over several seeds, beside its floors: paired differences.

    python benchmarks/seeds.py config/config.yaml digits-jepa 0 1 2

Steps run as in the workflow; results under runs/seeds/. Prints accuracy by seed, and for each floor
the mean paired difference (points) with the 95 % interval over test groups and seeds.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml

from jepa_steps.metrics.comparison import over_seeds, paired, read_correct

OUT = Path("runs/seeds")


def step(name: str, *arguments: object) -> None:
    subprocess.run([sys.executable, "-m", f"jepa_steps.{name}", *map(str, arguments)], check=True)


def run(name: str, experiment: dict, data: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    folder = {s: OUT / s / name for s in ("train", "embed", "probe")}
    step("train", "--spec", json.dumps(experiment["train"]), "--data", data, "--out", folder["train"],
         "--checkpoints", OUT / "checkpoints")  # fmt: skip
    step("embed", "--spec", json.dumps(experiment["embed"]), "--data", data,
         "--encoder", folder["train"], "--out", folder["embed"])  # fmt: skip
    step("probe", "--spec", json.dumps(experiment["probe"]), "--splits", data / "splits.csv",
         "--embeddings", folder["embed"] / "embeddings.npy",
         "--poolings", folder["embed"] / "poolings.safetensors",
         "--tokens", folder["embed"] / "tokens.npy", "--out", folder["probe"])  # fmt: skip
    return read_correct(folder["probe"] / "predictions.csv")


def main() -> None:
    file, name, *seeds = sys.argv[1:]
    config = yaml.safe_load(Path(file).read_text())
    experiment = config["experiments"][name]
    data = OUT / "data" / experiment["dataset"]
    spec = json.dumps(config["images"][experiment["dataset"]])
    step("prepare", "images", "--spec", spec, "--out", data)
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
        means = [correct[measure].mean() for correct, _ in trained]
        low, high = over_seeds(means)
        by_seed = {s: f"{mean:.4f}" for s, mean in zip(seeds, means, strict=True)}
        print(f"{measure} {by_seed}, mean {np.mean(means):.4f} [{low:.4f}, {high:.4f}] over seeds")
        for floor, (correct, groups) in floors.items():
            found = paired([c[measure] for c, _ in trained], [correct[measure]], groups)
            print(
                f"  {floor} {correct[measure].mean():.4f}: {found['points']:+.2f} points "
                f"[{found['low']:+.2f}, {found['high']:+.2f}], p {found['p']:.4f}, n = {found['n']} in "
                f"{found['groups']} groups, {len(seeds)} seeds"
            )


if __name__ == "__main__":
    main()
