"""Question: what do embeddings of masked genes say of cell type and perturbation, beside simple ones?

    python benchmarks/masked_genes.py devel.h5ad

PerturBench's development set, held-out cells (kind cell, 15 % val, 15 % test); training sees no label.
Probes and differences as sachs.py has them: balanced accuracy, pooling and C chosen on val, three seeds,
one thread.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import sachs
import torch
from sklearn.decomposition import PCA

from jepa_steps.config import ExpressionDataset, parse
from jepa_steps.config.expression_model import ExpressionJepa
from jepa_steps.data.expression.prepare import prepare_expression
from jepa_steps.data.expression.store import open_expression

STEPS, LR = 400, 1e-3


def settings(seed: int) -> ExpressionJepa:
    model = {"tokens": 10, "dim": 32, "depth": 2, "heads": 2}
    block = {
        "encoder": "bio-jepa",
        "seed": seed,
        "batch_size": 128,
        "task": "masked genes",
        "hidden_share": 0.5,
        "model": model,
        "objective": {"kind": "ema_target"},
    }
    block["predictor"] = {"dim": 32, "depth": 1, "heads": 2}
    return parse(ExpressionJepa, block, "masked genes")


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        split = {"kind": "cell", "allow_leaky": True}
        spec = {"source": "h5ad", "path": sys.argv[1], "split": split}
        prepare_expression(parse(ExpressionDataset, spec, "devel"), Path(scratch) / "devel")
        store = open_expression(Path(scratch) / "devel")
        x = store.samples(np.arange(len(store)))
        fitted = PCA(50, random_state=0).fit(x[store.rows("train")])
        rows = {"raw": [{"levels": x}], "PCA 50": [{"components": fitted.transform(x)}]}
        rows |= {"untrained": [], "masked genes": []}
        start = time.perf_counter()
        for seed in sachs.SEEDS:
            jepa = sachs.build(store, settings(seed))
            rows["untrained"].append(sachs.embedded(jepa.encoder, store))
            sachs.train(jepa, store, settings(seed), STEPS, LR)
            rows["masked genes"].append(sachs.embedded(jepa.exported(), store))
        seconds = (time.perf_counter() - start) / len(sachs.SEEDS)
        print(f"{seconds:.0f} s a seed with both embeddings", flush=True)
        for what, labels in (("cell type", store.context), ("perturbation", store.condition)):
            print(f"{what}: {len(np.unique(labels))} classes, {len(store.rows('test'))} test cells")
            reads = {n: [sachs.probe(p, store, labels) for p in each] for n, each in rows.items()}
            for name, found in reads.items():
                print(f"  {sachs.told(name, found)}")
                if name != "masked genes":
                    gain = sachs.difference(reads["masked genes"], found)
                    print(f"    masked genes less {name}: {gain}", flush=True)


if __name__ == "__main__":
    main()
