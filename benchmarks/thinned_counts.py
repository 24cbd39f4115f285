"""Question: do encoders of thinned counts help on screens of counts, beside raw expression, principal
components and themselves untrained?

    python benchmarks/thinned_counts.py FOLDER              # the preset, three seeds
    python benchmarks/thinned_counts.py FOLDER --ablation   # one change a row
    python benchmarks/thinned_counts.py FOLDER --selection  # do criteria order snapshots as probes do?
    python benchmarks/thinned_counts.py FOLDER --time       # goals: 2 min, and a tenth of a step

FOLDER holds perturbseq_devel.h5ad and kang18_pbmc_ifnb_1267g.h5ad. Of Kang et al. 2018 (two donors) the
first donor is trained on and the second is test; a fifth of the first donor's cells, drawn within cell
type and stimulation, is val. Its cell types are a target, its label is stimulation. PerturBench's
development set is divided by cell (kind cell); its counts are recovered from logarithms. Figures of the
probes on test cells, mean over seeds with t interval; paired differences in points, 95 % interval over
test cells and seeds; p by sign flips. --selection: 2,000 steps; of each label-free criterion Spearman's
rank correlation with the probe on val over six snapshots, and what the snapshot that it takes scores.
--time: the preset with two threads on 20,000 simulated cells of 300 genes, and the share of a step that
thinning takes there.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import steps
import torch

from jepa_steps import monitor, train
from jepa_steps.config.training import parse_training
from jepa_steps.files import read_json
from jepa_steps.metrics.selection import CRITERIA
from jepa_steps.modalities import open_store
from jepa_steps.modalities.expression.batches import Expression
from jepa_steps.modalities.expression.settings import PRESETS
from jepa_steps.modalities.expression.thinning import Thinning

PRESET = {**PRESETS["thinned-counts"], "threads": 1}
MODULES = {"tokenizer": "modules", "tokens": 16, "linear_path": False, "depth": 1, "heads": 2}
ABLATION = {
    "preset": {},
    "halves (thinning .5)": {"thinning": 0.5},
    "no linear path": {"model": {"linear_path": False}},
    "no layers: a linear map": {"model": {"hidden": 2}},
    "width 128": {"model": {"dim": 128}},
    "predictor between the parts, tokens": {
        "objective": {"level": "tokens", "projector": None},
        "predictor": {"dim": 64, "depth": 1, "heads": 1},
    },
    "modules hidden, counts thinned": {
        "task": "masked genes",
        "model": MODULES,
        "objective": {"kind": "ema_target", "level": "tokens", "projector": None},
        "predictor": {"dim": 64, "depth": 1, "heads": 2},
    },
    "modules hidden, all counts": {
        "task": "masked genes",
        "thinning": None,
        "model": MODULES,
        "objective": {"kind": "ema_target", "level": "tokens", "projector": None},
        "predictor": {"dim": 64, "depth": 1, "heads": 2},
    },
    "200 steps": {"steps": 200},
    "800 steps": {"steps": 800},
    "1600 steps": {"steps": 1600},
}


def kang(folder: Path, scratch: Path) -> dict:
    """The data set of Kang et al., with a column that tells the parts."""
    import anndata

    cells = anndata.read_h5ad(folder / "kang18_pbmc_ifnb_1267g.h5ad")
    part = cells.obs["sample_id"].astype(str).str[-3:].to_numpy().astype("U8")
    stratum = (cells.obs["cluster_id"].astype(str) + cells.obs["group_id"].astype(str)).to_numpy()
    rng = np.random.default_rng(0)
    for name in np.unique(stratum):
        members = rng.permutation(np.flatnonzero((part == "101") & (stratum == name)))
        part[members[: max(1, round(0.2 * len(members)))]] = "101 val"
    cells.obs["part"] = part
    cells.write_h5ad(scratch / "kang.h5ad")
    return {
        "source": "h5ad", "path": str(scratch / "kang.h5ad"), "control": "ctrl",
        "perturbation_type": "compound", "targets": ["cluster_id"],
        "keys": {"perturbation": "group_id", "batch": "part", "context": "none"},
        "split": {"kind": "batch", "val_units": ["101 val"], "test_units": ["107"]},
    }  # fmt: skip


def devel(folder: Path) -> dict:
    """PerturBench's development set, new cells."""
    split = {"kind": "cell", "allow_leaky": True}
    return {"source": "h5ad", "path": str(folder / "perturbseq_devel.h5ad"), "split": split}


def block(run: dict) -> dict:
    return {"dataset": "screen", "modality": "expression", "train": run}


def reads(run: dict, data: Path, seeds: list[int], out: Path) -> dict[str, list[steps.Read]]:
    """What embeddings tell of the label and of each target, by seed."""
    found: dict[str, list[steps.Read]] = {}
    for seed in seeds if "seeded" in run else [0]:
        own = {k: v for k, v in run.items() if k != "seeded"}
        own |= {"seed": seed} if "seeded" in run else {}
        folder = out / str(seed)
        found.setdefault("label", []).append(steps.read(block(own), data, folder))
        for target in ("cluster_id",) if data.name == "kang" else ():
            found.setdefault(target, []).append(steps.read_target(folder / "probe", target))
    return found


def selection(data: Path, seeds: list[int], out: Path) -> None:
    """Six snapshots of a long training by each criterion and by the probe on val."""
    change = {"steps": 2000, "validate_every": 100}
    for seed in seeds:
        folder = out / str(seed)
        judged(steps.changed(PRESET, {**change, "seed": seed}), data, folder)
        monitor.main(["--embed", str(folder / "embed"), "--data", str(data), "--train",
                      str(folder / "train"), "--out", str(folder / "monitor")])  # fmt: skip
        found = read_json(folder / "monitor" / "monitor.json")["selection"]
        for name in CRITERIA:
            if one := found.get(name):
                print(f"{data.name}, seed {seed}, {name}: Spearman {one['spearman'] or 0:+.2f}, takes "
                      f"{one['chosen']:.0%}, which scores {one['chosen_probe']:.3f} (best "
                      f"{one['best_probe']:.3f})", flush=True)  # fmt: skip


def timed(scratch: Path) -> None:
    """The preset's training of 20,000 cells x 300 genes, and what thinning takes of a step."""
    rng = np.random.default_rng(0)
    rate = rng.gamma(1, 4, 300) * rng.gamma(4, 0.25, (20_000, 1))
    counts = rng.poisson(rate * np.exp(rng.normal(size=rate.shape))).astype(np.float32)
    names = np.array(["control", "a", "b", "c", "d"])[rng.integers(0, 5, 20_000)]
    np.savez(scratch / "cells.npz", X=counts, genes=[f"g{i}" for i in range(300)], perturbation=names)
    split = {"kind": "cell", "allow_leaky": True}
    spec = {"source": "npz", "path": str(scratch / "cells.npz"), "split": split}
    data = steps.prepared(spec, scratch / "timed")
    settings = parse_training({**PRESET, "threads": 2}, "preset", "expression")
    store, start = open_store(data), time.perf_counter()
    train.train_jepa(settings, store, scratch / "out", scratch / "runs")
    whole = time.perf_counter() - start
    thin, n = Thinning(store, settings.thinning, 0, torch.device("cpu")), settings.batch_size
    batches = [rng.choice(store.rows("train"), n, replace=False) for _ in range(50)]
    start = time.perf_counter()
    for rows in batches:
        thin(np.zeros(n, np.int64), rows)
    each, plain = (time.perf_counter() - start) / len(batches), Expression(store, torch.device("cpu"))
    start = time.perf_counter()
    for rows in batches:
        plain(rows)
    read, step = (time.perf_counter() - start) / len(batches), whole / settings.steps
    print(
        f"{len(store)} cells x {len(store.genes)} genes: {settings.steps} steps in {whole:.0f} s with "
        f"all validations, {1e3 * step:.0f} ms a step; thinning {1e3 * each:.1f} ms, reading the same "
        f"cells without it {1e3 * read:.1f} ms: {(each - read) / step:.1%} of a step"
    )


def judged(run: dict, data: Path, out: Path) -> Path:
    return steps.judged(block(run), data, out)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    p.add_argument("--screens", nargs="+", default=["kang", "devel"], choices=["kang", "devel"])
    p.add_argument("--ablation", action="store_true")
    p.add_argument("--selection", action="store_true")
    p.add_argument("--time", action="store_true")
    args = p.parse_args()
    model = PRESET["model"]
    floors = {
        "raw": {"encoder": "raw"},
        "PCA 50": {"encoder": "pca", "dim": 50},
        "untrained": {"encoder": "bio-untrained", "model": model, "seeded": True},
    }
    rows = ABLATION if args.ablation else {"preset": {}}
    ours = {name: {**steps.changed(PRESET, change), "seeded": True} for name, change in rows.items()}
    with tempfile.TemporaryDirectory() as scratch:
        at = Path(scratch)
        if args.time:
            timed(at)
            return
        for name in args.screens:
            spec = kang(args.folder, at) if name == "kang" else devel(args.folder)
            data, found = steps.prepared(spec, at / name), {}
            if args.selection:
                selection(data, args.seeds, at / f"{name}-selection")
                continue
            for row, run in {**floors, **ours}.items():
                start = time.perf_counter()
                found[row] = reads(run, data, args.seeds, at / f"{name}-{row}")
                seconds = (time.perf_counter() - start) / len(found[row]["label"])
                for asked, of in found[row].items():
                    print(f"{name}, {asked}: {steps.told(row, of)}, {seconds:.0f} s each", flush=True)
            for row in ours if not args.ablation else ():
                for floor in floors:
                    for asked in found[row]:
                        for each in steps.versus(found[row][asked], found[floor][asked]):
                            print(f"{name}, {asked}: {row} less {floor}, {each['measure']}: "
                                  f"{each['points']:+.1f} [{each['low']:+.1f}, {each['high']:+.1f}], "
                                  f"p {each['p']:.4f}")  # fmt: skip


if __name__ == "__main__":
    main()
