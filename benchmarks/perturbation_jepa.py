"""Question: does a JEPA of cells predict unmeasured perturbations as well as the best simple baseline?

Measured: with its shifts refitted it reaches it; that it beats it is not shown (RESULTS.md).

    python benchmarks/perturbation_jepa.py devel.h5ad [C] [B] [W] [--train '{"thinning": 0.5}']

screen-jepa of config/perturbseq.yaml through the steps prepare, train and evaluate, on K562 of
PerturBench's development set:

- B: genes held out (15 % val, 15 % test), every combination with them, splits 0 to 3, 4 to 7 and all;
- W: ten of the 33 conditions held out whole, as in perturbation_baselines.py, seeds 0 to 4: other
  combinations of a gene may be in training. A tenth of the other cells is val;
- C: trained on singles; tested on the five pairs of which both are measured; the other ten pairs are
  val.

Three training seeds, whose scores are averaged perturbation by perturbation. *JEPA*: the predictor's
shifts refitted in closed form; *predictor*: as trained; *expression_shifts*, *pca_shifts* and
*untrained_shifts*: the same refit without an encoder, on 128 principal components and on the encoder's
initial weights. --train changes settings of the training. Verdicts against the best method without a
model, then against each of these three: modalities.expression.effects.verdicts, over distinct
perturbations.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import steps
import yaml

SEEDS = (0, 1, 2)
SHIFTS = ("expression_shifts", "pca_shifts", "untrained_shifts")


def setting(title: str, block: dict, folders: list[Path]) -> list[steps.Predicted]:
    """Scores of the splits of one setting, each averaged over the seeds, shown together."""
    start, parts = time.perf_counter(), []
    for folder in folders:
        runs = [steps.changed(block, {"train": {"seed": seed}}) for seed in SEEDS]
        seeds = [
            steps.predicted(run, folder, folder.with_name(f"{folder.name}-{i}"))
            for i, run in enumerate(runs)
        ]
        parts.append(steps.over_training(seeds))
    seconds = (time.perf_counter() - start) / len(folders) / len(SEEDS)
    show(f"{title}, {seconds:.0f} s a run", parts)
    return parts


def show(title: str, parts: list[steps.Predicted]) -> None:
    """Scores and verdicts over several splits together."""
    print(f"\n{title}")
    found = steps.joined(parts)
    baselines = steps.baselines(found)
    steps.show(found, {name: v for name, v in baselines.items() if name not in SHIFTS})
    for alone in SHIFTS:
        steps.verdicts(found, {alone: found.methods[alone]})


def whole_conditions(source: Path, seed: int, out: Path) -> Path:
    """Write the cells with a column ``part``: ten conditions, and as many controls as val, are test."""
    from anndata import read_h5ad

    data = read_h5ad(source)
    condition = data.obs.condition.to_numpy(dtype=str)
    names = sorted(set(condition) - {"control"})
    held = np.isin(condition, np.random.default_rng(seed).permutation(names)[-10:])
    part = np.where(held, "test", "train").astype(object)
    for name in [*names, "control"]:
        rows = np.random.default_rng(seed).permutation(np.flatnonzero((condition == name) & ~held))
        part[rows[: len(rows) // 10]] = "val"
        if name == "control":
            part[rows[len(rows) // 10 : len(rows) // 5]] = "test"
    data.obs["part"] = part.astype(str)
    data.write_h5ad(out)
    return out


def k562(source: str, folder: Path) -> list[str]:
    """Write the K562 cells alone; returns the names of their conditions."""
    from anndata import read_h5ad

    data = read_h5ad(source)
    data = data[data.obs.cell_type == "k562"].copy()
    data.write_h5ad(folder / "k562.h5ad")
    return ["+".join(sorted(n.split("+"))) for n in sorted(set(data.obs.condition))]


def main() -> None:
    config = yaml.safe_load((Path(__file__).parents[1] / "config/perturbseq.yaml").read_text())
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("source")
    p.add_argument("settings", nargs="*", help="of C, B, W; all where none is given")
    p.add_argument("--train", type=json.loads, default={}, help="changes, as JSON")
    args = p.parse_args()
    block = steps.changed(config["experiments"]["screen-jepa"], {"train": args.train})
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        names = k562(args.source, folder)

        def prepared(name: str, split: dict, **more: object) -> Path:
            changes = {"path": str(folder / "k562.h5ad"), "split": split, **more}
            return steps.prepared(steps.changed(config["expression"]["screen"], changes), folder / name)

        wanted = args.settings or ["C", "B", "W"]
        if "C" in wanted:
            pairs = [n for n in names if "+" in n]
            both = [n for n in pairs if set(n.split("+")) <= set(names)]
            rest = [n for n in pairs if n not in both]
            split = {
                "kind": "combination",
                "test_units": both,
                "val_units": rest,
                "val": 0.05,
                "test": 0.05,
            }
            setting("C. pairs of measured singles", block, [prepared("c", split)])
        if "B" in wanted:
            genes = [prepared(f"b{i}", {"kind": "perturbation", "seed": i}) for i in range(8)]
            first = setting("B. unseen genes, splits 0 to 3", block, genes[:4])
            second = setting("B. unseen genes, splits 4 to 7", block, genes[4:])
            show("B. unseen genes, all eight splits", first + second)
        if "W" in wanted:
            split = {"kind": "batch", "test_units": ["test"], "val_units": ["val"]}
            files = [whole_conditions(folder / "k562.h5ad", i, folder / f"w{i}.h5ad") for i in range(5)]
            whole = [
                prepared(file.stem, split, path=str(file), keys={"batch": "part"}) for file in files
            ]
            setting("W. unseen conditions", block, whole)


if __name__ == "__main__":
    main()
