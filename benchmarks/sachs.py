"""Question: does a JEPA of cells make the nine conditions of Sachs et al. 2005 easier to read off?

Measured: easier than raw levels, not easier than an untrained encoder of the same size (RESULTS.md).

    pip install --no-deps cdt==0.6.0
    python benchmarks/sachs.py NAME ...        # of RECIPES; all without a name
    python benchmarks/sachs.py masked-half --splits 0 1 2
    python benchmarks/sachs.py --unseen        # each condition held out in turn

Held-out cells (kind cell, 15 % val, 15 % test), labels are the nine conditions. Probe: pooling and C
chosen on val, logistic regression refitted on train + val, balanced accuracy on test. Three training
seeds beside three untrained encoders of the same architecture and raw levels; paired differences with
95 % intervals over test cells and seeds. One thread.

The perturbation task is told the condition of training cells, masked genes is not.
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import perturbation_jepa
import torch

from jepa_steps.config import ExpressionDataset, Optimizer, parse
from jepa_steps.config.expression_model import ExpressionJepa
from jepa_steps.data.expression.batches import Expression, MaskedGeneBatches, PerturbationBatches
from jepa_steps.data.expression.encoding import expression_loadings, read_vocabulary
from jepa_steps.data.expression.modules import gene_modules
from jepa_steps.data.expression.prepare import prepare_expression
from jepa_steps.data.expression.store import ExpressionStore, open_expression
from jepa_steps.engine.distributed import World
from jepa_steps.engine.optimizer import optimizers, schedule, update_ema
from jepa_steps.metrics.comparison import paired
from jepa_steps.metrics.perturbation.verdicts import judge
from jepa_steps.metrics.probes import Split3, logistic_probe, pooling_accuracy, standardise
from jepa_steps.model.encoder import TokenEncoder
from jepa_steps.model.expression import cell_jepa
from jepa_steps.model.jepa import Jepa

CPU = torch.device("cpu")
GRID = (1e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0, 100.0)
POOLINGS = ("mean", "max", "concat", "last4")
CARD = Path(__file__).parents[1] / "config" / "cards" / "sachs.md"


WEIGHT_DECAY = 0.05
SEEDS = (0, 1, 2)


class Recipe(NamedTuple):
    """Settings of a run; those left out are those of ``settings``."""

    steps: int
    lr: float
    settings: dict


_MASKED = {"task": "masked genes", "objective": {"kind": "ema_target"}}
_TOLD = {"unknown_share": 0.0, "control_share": 0.1}
_MODEL = {"tokens": 11, "dim": 32, "depth": 2, "heads": 2}
RECIPES = {
    "masked-half": Recipe(1200, 1e-3, _MASKED | {"hidden_share": 0.5}),
    "masked-third": Recipe(1200, 3e-3, _MASKED | {"hidden_share": 0.3}),
    "masked-narrow": Recipe(800, 3e-3, _MASKED | {"model": _MODEL | {"dim": 8}}),
    "perturbation": Recipe(600, 2e-3, _TOLD | {"objective": {"kind": "vicreg"}}),
}
# What is known to be hit, for conditions that training has not seen: +1 activated, -1 inhibited.
TARGETS = {"ICAM-2": {}, "AKT-inhibitor": {"pakts473": -1}, "G06976": {"PKC": -1},
           "psitectorigenin": {"PIP2": -1}, "U0126": {"pmek": -1}, "LY294002": {"PIP3": -1},
           "PMA": {"PKC": 1}, "b2cAMP": {"PKA": 1}}  # fmt: skip


def settings(recipe: Recipe, seed: int) -> ExpressionJepa:
    base = {"encoder": "bio-jepa", "seed": seed, "batch_size": 256, "model": _MODEL}
    base["predictor"] = {"dim": 32, "depth": 1, "heads": 2}
    return parse(ExpressionJepa, base | recipe.settings, "recipe")


def prepared(out: Path, split: dict, **more: str) -> ExpressionStore:
    spec = {"source": "sachs", "path": str(CARD), "input": "normalised", "split": split, **more}
    prepare_expression(parse(ExpressionDataset, spec, "sachs"), out)
    return open_expression(out)


def build(store: ExpressionStore, s: ExpressionJepa) -> Jepa:
    loadings = expression_loadings(store.csr.matrix(store.rows("train")), 32)
    modules = gene_modules(loadings, s.model.tokens)
    vocabulary, _ = read_vocabulary(store.perturbations)
    return cell_jepa(s, len(store.genes), modules, vocabulary, np.empty((0, 0), np.float32))


def train(jepa: Jepa, store: ExpressionStore, s: ExpressionJepa, steps: int, lr: float) -> None:
    world, tokens = World(0, 1, CPU), s.model.tokens
    if s.task == "masked genes":
        batches = MaskedGeneBatches(store, s.batch_size, tokens, s.hidden, s.seed, world)
    else:
        shares = (s.unknown_share, s.control_share)
        batches = PerturbationBatches(store, s.batch_size, tokens, s.seed, world, *shares)
    (optimizer,) = optimizers(jepa, parse(Optimizer, {"weight_decay": WEIGHT_DECAY}, "optimizer"))
    parameters = [p for p in jepa.parameters() if p.requires_grad]
    for step in range(steps):
        rise, fall = (step + 1) / (0.1 * steps), np.cos(np.pi * max(0, step / steps - 0.1) / 0.9)
        schedule(optimizer, lr * min(1, rise) * (0.01 + 0.99 * (1 + fall) / 2), WEIGHT_DECAY)
        optimizer.zero_grad()
        jepa.loss(jepa(*batches(step)), step)[0].backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if jepa.target_encoder is not None:
            update_ema(jepa.target_encoder, jepa.encoder, 0.99 + 0.01 * step / steps)


@torch.no_grad()
def embedded(encoder: TokenEncoder, store: ExpressionStore) -> dict[str, np.ndarray]:
    """Embeddings float32 (n, D) of all cells by pooling."""
    read, found = Expression(store, CPU), {name: [] for name in POOLINGS}
    for rows in np.array_split(np.arange(len(store)), 1 + len(store) // 1024):
        layers = encoder.layers(read(rows), 4)
        last = layers[-1]
        parts = (last.mean(1), last.amax(1), last.flatten(1), torch.cat([x.mean(1) for x in layers], 1))
        for name, part in zip(POOLINGS, parts, strict=True):
            found[name].append(part.numpy())
    return {name: np.concatenate(parts) for name, parts in found.items()}


class Read(NamedTuple):
    """right: float64 (m,), test cells read rightly, whose mean is the balanced accuracy."""

    right: np.ndarray
    val: float
    how: str


def probe(poolings: dict[str, np.ndarray], store: ExpressionStore, labels: np.ndarray) -> Read:
    """The logistic probe of labels int64 (n,) on embeddings (n, D); pooling and C chosen on val."""
    parts = [store.rows(name) for name in ("train", "val", "test")]
    y = [labels[rows] for rows in parts]
    found = {n: pooling_accuracy(x[parts[0]], x[parts[1]], *y[:2]) for n, x in poolings.items()}
    best = max(found, key=found.get)
    data = Split3(*standardise(*(poolings[best][rows] for rows in parts)), *y)
    linear, classes, choice = logistic_probe(data, GRID)
    right = classes[linear(data.test).argmax(1)] == data.test_y
    count = np.bincount(data.test_y)
    weight = len(right) / (np.count_nonzero(count) * count[data.test_y])
    return Read(right * weight, max(choice["val_accuracy"].values()), f"{best}, C {choice['c']:g}")


def raw(store: ExpressionStore) -> Read:
    return probe({"levels": store.samples(np.arange(len(store)))}, store, store.condition)


def run(name: str, store: ExpressionStore) -> tuple[list[Read], list[Read], float]:
    """(trained, untrained, seconds of training a seed) of a recipe."""
    recipe, trained, untrained, seconds = RECIPES[name], [], [], 0.0
    for seed in SEEDS:
        s = settings(recipe, seed)
        jepa = build(store, s)
        untrained.append(probe(embedded(jepa.encoder, store), store, store.condition))
        start = time.perf_counter()
        train(jepa, store, s, recipe.steps, recipe.lr)
        seconds += time.perf_counter() - start
        trained.append(probe(embedded(jepa.exported(), store), store, store.condition))
    return trained, untrained, seconds / len(SEEDS)


def cells(names: list[str], splits: list[int], folder: Path) -> None:
    for seed in splits:
        store = prepared(folder / f"{seed}", {"kind": "cell", "seed": seed, "allow_leaky": True})
        levels = [raw(store)]
        print(f"split {seed}, {len(store.rows('test'))} test cells: {told('raw', levels)}", flush=True)
        for name in names:
            trained, untrained, seconds = run(name, store)
            print(f"{told(name, trained)}, {seconds:.0f} s a seed\n  {told('untrained', untrained)}")
            for floor, reads in (("raw", levels), ("untrained", untrained)):
                print(f"  less {floor}: {difference(trained, reads)}", flush=True)


def difference(trained: list[Read], floor: list[Read]) -> str:
    """Points of balanced accuracy, with the 95 % interval over test cells and seeds."""
    cells = np.arange(len(floor[0].right))
    d = paired([r.right for r in trained], [r.right for r in floor], cells)
    return f"{d['points']:+.1f} points [{d['low']:+.1f}, {d['high']:+.1f}]"


def told(name: str, reads: list[Read]) -> str:
    val, test = (np.mean([r.val for r in reads]), np.mean([r.right.mean() for r in reads]))
    each = ", ".join(f"{r.right.mean():.3f} ({r.how})" for r in reads)
    return f"{name}: val {val:.3f}, test {test:.3f}: {each}"


def unseen(folder: Path) -> None:
    """Each condition held out in turn, the one after it as val: the recipe of perturbation_jepa.py."""
    table = folder / "targets.csv"
    proteins = sorted({p for hit in TARGETS.values() for p in hit})
    with table.open("w", newline="") as file:
        rows = ([name, *(hit.get(p, 0) for p in proteins)] for name, hit in TARGETS.items())
        csv.writer(file).writerows([["condition", *proteins], *rows])
    names, found = list(TARGETS), []
    for i, name in enumerate(names):
        split = {"kind": "perturbation", "test_units": [name], "val_units": [names[i - 1]]}
        told = {"gene_features": "file", "gene_features_path": str(table)}
        store = prepared(folder / name, split, **told)
        features = np.load(folder / name / "gene_features.npy")
        jepa = perturbation_jepa.trained(store, features, perturbation_jepa.settings("chosen", 0))
        found.append(perturbation_jepa.scores(store, "test", [jepa]))
    simple = {n: perturbation_jepa.joined([f[0][n] for f in found]) for n in found[0][0]}
    ours = perturbation_jepa.joined([f[1][0] for f in found])
    for n, values in simple.items():
        perturbation_jepa.show(n, values)
    perturbation_jepa.show("JEPA", ours)
    for row in judge(ours, simple):
        print(f"  {row['metric']}: {row['model']:.3f} against {row['baseline']:.3f} "
              f"({row['best_baseline']}), {row['difference']:+.3f} [{row['low']:+.3f}, "
              f"{row['high']:+.3f}], {row['verdict']}")  # fmt: skip


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("names", nargs="*", metavar="NAME")
    p.add_argument("--splits", nargs="+", type=int, default=[0])
    p.add_argument("--unseen", action="store_true")
    args = p.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        if args.unseen:
            unseen(Path(scratch))
        else:
            cells(args.names or list(RECIPES), args.splits, Path(scratch))


if __name__ == "__main__":
    main()
