"""Question: does a JEPA of cells make the nine conditions of Sachs et al. 2005 easier to read off?

    pip install --no-deps cdt==0.6.0
    python benchmarks/sachs.py                     # splits 0, 1, 2 by training seeds 0, 1, 2
    python benchmarks/sachs.py --splits 0 --seeds 0
    python benchmarks/sachs.py --unseen            # each condition held out in turn

Experiments of config/config.yaml through the steps: sachs-jepa and its floors, the untrained ones drawn
anew for each training seed. For each split, figures of the linear probe on test cells (all labels, the
same with classes weighing alike, 10 labels a class), and paired differences in points, 95 % interval
over cells and seeds; p adjusted for all of them. Then the mean over splits, t interval over them.
--unseen: setting and predictor of sachs-unseen-jepa, with what is known to be hit as features.
"""

import argparse
import csv
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import steps
import yaml

from jepa_steps.metrics.comparison import holm, over_seeds, verdict

ROOT = Path(__file__).parents[1]
# What is known to be hit, for conditions that training has not seen: +1 activated, -1 inhibited.
TARGETS = {"ICAM-2": {}, "AKT-inhibitor": {"pakts473": -1}, "G06976": {"PKC": -1},
           "psitectorigenin": {"PIP2": -1}, "U0126": {"pmek": -1}, "LY294002": {"PIP3": -1},
           "PMA": {"PKC": 1}, "b2cAMP": {"PKA": 1}}  # fmt: skip


def cells(config: dict, splits: list[int], seeds: list[int], folder: Path) -> None:
    """Held-out cells of known conditions."""
    found = []
    for split in splits:
        spec = steps.changed(config["expression"]["sachs"], {"split": {"seed": split}})
        data, start = steps.prepared(spec, folder / f"data{split}"), time.perf_counter()
        rows = {
            name: [
                steps.read(e, data, folder / f"{name}{split}{i}")
                for i, e in enumerate(seeded(block, seeds))
            ]
            for name, block in blocks(config).items()
        }
        seconds = time.perf_counter() - start
        print(f"split {split}, {seconds:.0f} s", flush=True)
        for name, reads in rows.items():
            print(f"  {steps.told(name, reads)}", flush=True)
        for floor in [name for name in rows if name != "sachs-jepa"]:
            found += [
                {"split": split, "floor": floor, **row}
                for row in steps.versus(rows["sachs-jepa"], rows[floor])
            ]
    show(found)


def blocks(config: dict) -> dict[str, dict]:
    """Experiments on sachs; of draws of a floor the first, which is drawn for every seed here."""
    found = {n: e for n, e in config["experiments"].items() if e["dataset"] == "sachs"}
    return {n: e for n, e in found.items() if not n[-1].isdigit()}


def seeded(block: dict, seeds: list[int]) -> list[dict]:
    """The experiment by training seed; once where nothing in it is random."""
    if "seed" not in block["train"]:
        return [block]
    return [steps.changed(block, {"train": {"seed": seed}}) for seed in seeds]


def show(found: list[dict]) -> None:
    """Differences with verdicts, and their mean over splits."""
    for row, adjusted in zip(found, holm([row["p"] for row in found]), strict=True):
        says = verdict(row["low"], row["high"], adjusted)
        print(f"split {row['split']}: sachs-jepa less {row['floor']}, {row['measure']}: "
              f"{row['points']:+.1f} [{row['low']:+.1f}, {row['high']:+.1f}], p {adjusted:.4f}, {says}, "
              f"{row['n']} test cells")  # fmt: skip
    for floor, measure in dict.fromkeys((row["floor"], row["measure"]) for row in found):
        points = [r["points"] for r in found if (r["floor"], r["measure"]) == (floor, measure)]
        if len(points) < 2:
            continue
        low, high = over_seeds(points)
        print(f"mean over {len(points)} splits: sachs-jepa less {floor}, {measure}: "
              f"{np.mean(points):+.1f} [{low:+.1f}, {high:+.1f}]")  # fmt: skip


def unseen(config: dict, folder: Path) -> None:
    """Each condition held out in turn, the one before it as val."""
    table, names = folder / "targets.csv", list(TARGETS)
    proteins = sorted({p for hit in TARGETS.values() for p in hit})
    with table.open("w", newline="") as file:
        rows = ([name, *(hit.get(p, 0) for p in proteins)] for name, hit in TARGETS.items())
        csv.writer(file).writerows([["condition", *proteins], *rows])
    block, folds = config["experiments"]["sachs-unseen-jepa"], []
    for i, name in enumerate(names):
        spec = steps.changed(
            config["expression"]["sachs-unseen"],
            {"gene_features": "file", "gene_features_path": str(table),
             "split": {"test_units": [name], "val_units": [names[i - 1]]}},
        )  # fmt: skip
        data = steps.prepared(spec, folder / name / "data")
        folds.append(steps.predicted(block, data, folder / name))
        print(f"{name}: done", flush=True)
    found = steps.joined(folds)
    # One condition a fold: there is no other to tell it from.
    steps.show(found, steps.baselines(found), ("pearson_delta", "pearson_delta_perturbed", "l2"))


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--splits", nargs="+", type=int, default=[0, 1, 2])
    p.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    p.add_argument("--unseen", action="store_true")
    args = p.parse_args()
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    os.chdir(ROOT)  # paths of the config are relative to it
    with tempfile.TemporaryDirectory() as scratch:
        if args.unseen:
            unseen(config, Path(scratch))
        else:
            cells(config, args.splits, args.seeds, Path(scratch))


if __name__ == "__main__":
    main()
