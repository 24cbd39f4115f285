"""Question: what do embeddings of masked genes say of perturbation and cell type, beside simple ones?

    python benchmarks/masked_genes.py devel.h5ad

PerturBench's development set, held-out cells (kind cell, 15 % val, 15 % test); training sees no label.
Experiments of config/perturbseq.yaml through the steps, screen-jepa with task masked genes; three seeds
of it and of the untrained encoder. Probe of the perturbation with paired differences as in sachs.py;
accuracy of the probe of the cell type as *context*.
"""

import sys
import tempfile
import time
from pathlib import Path

import steps
import yaml

SEEDS = (0, 1, 2)
MODEL = {"tokens": 10, "dim": 32, "depth": 2, "heads": 2}
MASKED = {
    "steps": 400,
    "batch_size": 128,
    "task": "masked genes",
    "hidden_share": 0.5,
    "model": MODEL,
    "predictor": {"dim": 32, "depth": 1, "heads": 2},
    "objective": {"kind": "ema_target"},
    "optimizer": {"lr": 0.001, "weight_decay": 0.05},
}


def main() -> None:
    config = yaml.safe_load((Path(__file__).parents[1] / "config/perturbseq.yaml").read_text())
    blocks = {n.removeprefix("screen-"): e for n, e in config["experiments"].items()}
    pca = steps.changed(blocks["pca"], {"train": {"dim": 50}})
    experiments = {"raw": [blocks["raw"]], "PCA 50": [pca]}
    for name, changes in (("untrained", {"model": MODEL}), ("jepa", MASKED)):
        experiments[name] = [
            steps.changed(blocks[name], {"train": changes | {"seed": seed}}) for seed in SEEDS
        ]
    with tempfile.TemporaryDirectory() as scratch:
        changes = {"path": sys.argv[1], "split": {"kind": "cell", "allow_leaky": True}}
        spec = steps.changed(config["expression"]["screen"], changes)
        data, reads = steps.prepared(spec, Path(scratch) / "data"), {}
        for name, each in experiments.items():
            start = time.perf_counter()
            reads[name] = [steps.read(e, data, Path(scratch) / f"{name}{i}") for i, e in enumerate(each)]
            seconds = (time.perf_counter() - start) / len(each)
            print(f"{steps.told(name, reads[name])}, {seconds:.0f} s each", flush=True)
    for floor in ("raw", "PCA 50", "untrained"):
        for row in steps.versus(reads["jepa"], reads[floor]):
            print(f"masked genes less {floor}, {row['measure']}: {row['points']:+.1f} "
                  f"[{row['low']:+.1f}, {row['high']:+.1f}], p {row['p']:.4f}")  # fmt: skip


if __name__ == "__main__":
    main()
