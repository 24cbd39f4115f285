"""Question: does a JEPA of cells predict unmeasured perturbations as well as the best simple baseline?

Measured: for pairs of measured singles nearly, for unseen genes not (RESULTS.md).

The set and the conventions of setting C are those of perturbation_baselines.py, on K562 only, but
prepared by ``prepare_expression``: controls are divided between train, val and test. Run:

    python benchmarks/perturbation_jepa.py devel.h5ad            # the chosen recipe
    python benchmarks/perturbation_jepa.py devel.h5ad NAME ...   # others of RECIPES

- B: genes held out (15 % val, 15 % test), every combination with them, splits 0 to 3; one run each;
- C: trained on singles; tested on the five pairs of which both are measured; the other ten pairs are
  val; three seeds, averaged for the interval.

A prediction is the control mean plus the readout of (prediction for the perturbation - prediction for no
perturbation), averaged over training controls; the ridge readout is fitted on training cells. Baselines
see the same training cells. Intervals and verdicts: metrics.perturbation.verdicts, over perturbations.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from jepa_steps.config import ExpressionDataset, Optimizer, parse
from jepa_steps.config.expression_model import ExpressionJepa
from jepa_steps.data.expression.batches import Expression, PerturbationBatches, Perturbations
from jepa_steps.data.expression.encoding import expression_loadings, read_vocabulary
from jepa_steps.data.expression.modules import gene_modules
from jepa_steps.data.expression.prepare import prepare_expression
from jepa_steps.data.expression.store import ExpressionStore, open_expression
from jepa_steps.engine.distributed import World
from jepa_steps.engine.optimizer import optimizers, schedule, update_ema
from jepa_steps.metrics.perturbation import baselines
from jepa_steps.metrics.perturbation.metrics import evaluate, mean_over_perturbations
from jepa_steps.metrics.perturbation.pseudobulk import condition, group_means, training_table
from jepa_steps.metrics.perturbation.readout import fit_readout
from jepa_steps.metrics.perturbation.verdicts import judge
from jepa_steps.model.expression import cell_jepa
from jepa_steps.model.jepa import Jepa

CPU = torch.device("cpu")
COLUMNS = ("pearson_delta", "pearson_delta_perturbed", "l2", "discrimination")
STEPS, LR = 800, 2e-3

_BOTH = {"kind": "ema_target+vicreg", "variance": 1.0, "covariance": 0.04}
RECIPES: dict[str, dict] = {
    "chosen": {},
    "16-tokens": {"batch_size": 128, "model": {"tokens": 16, "dim": 64}},
    "transformer": {"predictor": {"depth": 1}},
    "moving-average": {"objective": {"kind": "ema_target"}},
    "both": {"objective": _BOTH},
    "mlp": {"model": {"tokenizer": "mlp", "hidden": 256}},
}


def settings(recipe: str, seed: int) -> ExpressionJepa:
    base = {
        "encoder": "bio-jepa",
        "seed": seed,
        "batch_size": 256,
        "model": {"tokens": 4, "dim": 128, "depth": 1, "heads": 2},
        "predictor": {"dim": 64, "depth": 0, "heads": 2},
        "objective": {"kind": "vicreg"},
    }
    for name, block in RECIPES[recipe].items():
        base[name] = base[name] | block if name in ("model", "predictor") else block
    return parse(ExpressionJepa, base, recipe)


def prepared(k562: Path, out: Path, split: dict) -> tuple[ExpressionStore, np.ndarray]:
    spec = {"source": "h5ad", "path": str(k562), "split": split}
    prepare_expression(parse(ExpressionDataset, spec, "devel"), out)
    return open_expression(out), np.load(out / "gene_features.npy")


def trained(store: ExpressionStore, features: np.ndarray, s: ExpressionJepa) -> Jepa:
    loadings = expression_loadings(store.csr.matrix(store.rows("train")), 32)
    vocabulary, _ = read_vocabulary(store.perturbations)
    modules = gene_modules(loadings, s.model.tokens)
    jepa = cell_jepa(s, len(store.genes), modules, vocabulary, features)
    batches = PerturbationBatches(
        store, s.batch_size, s.model.tokens, s.seed, World(0, 1, CPU), s.unknown_share, s.control_share
    )
    (optimizer,) = optimizers(jepa, parse(Optimizer, {"weight_decay": 0.01}, "optimizer"))
    parameters = [p for p in jepa.parameters() if p.requires_grad]
    for step in range(STEPS):
        rise, fall = (step + 1) / (0.1 * STEPS), np.cos(np.pi * max(0, step / STEPS - 0.1) / 0.9)
        schedule(optimizer, LR * min(1, rise) * (0.01 + 0.99 * (1 + fall) / 2), 0.01)
        optimizer.zero_grad()
        jepa.loss(jepa(*batches(step)), step)[0].backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if jepa.target_encoder is not None:
            update_ema(jepa.target_encoder, jepa.encoder, 0.99 + 0.01 * step / STEPS)
    return jepa


@torch.no_grad()
def predictions(jepa: Jepa, store: ExpressionStore, codes: np.ndarray) -> np.ndarray:
    """Mean expression float64 (P, G) of conditions int64 (P,)."""
    train, read = store.rows("train"), Expression(store, CPU)
    expression = store.csr.matrix(train)

    def target_space(tokens: Tensor) -> np.ndarray:
        if jepa.target_encoder is not None:
            tokens = functional.layer_norm(tokens, tokens.shape[-1:])
        return tokens.flatten(1).numpy()

    readout = fit_readout(
        np.concatenate([target_space(jepa(read(rows))) for rows in np.array_split(train, 8)]), expression
    )
    control = store.condition[train] == 0
    x = read(train[control])
    every = torch.arange(jepa.encoder.grid[0]).expand(len(x), -1)
    context, entries = jepa.encoder(x, every), Perturbations(store, 0.0, 0).conditions

    def mean_prediction(code: int) -> np.ndarray:
        told = [torch.from_numpy(part) for part in entries.take(np.full(len(x), code))]
        return jepa.predictor(context, every, every[:, None], *told).flatten(1).numpy().mean(0)

    effects = np.stack([mean_prediction(code) for code in codes]) - mean_prediction(0)
    return np.asarray(expression[control].mean(0)) + effects @ readout.coefficients


def scores(store: ExpressionStore, part: str, models: list[Jepa]) -> tuple[dict, list[dict]]:
    """Values (P,) of each baseline, and of each model, on the perturbations of a part."""
    names = [condition(*[p[0] for p in c["parts"]]) for c in store.perturbations["conditions"]]
    train, rows = store.rows("train"), store.rows(part)
    contexts = [store.contexts[c] for c in store.context[train]]
    table = training_table(store.csr.matrix(train), [names[c] for c in store.condition[train]], contexts)
    rows = rows[store.condition[rows] > 0]
    codes, own = np.unique(store.condition[rows], return_inverse=True)
    observed = group_means(store.csr.matrix(rows), own, len(codes))
    asked, places = [names[c] for c in codes], [contexts[0]] * len(codes)
    reference = [f(table, asked, places) for f in (baselines.no_change, baselines.perturbed_mean)]

    def score(predicted: np.ndarray) -> dict[str, np.ndarray]:
        return evaluate(predicted, observed, *reference, places)

    simple = {name: score(f(table, asked, places)) for name, f in baselines.BASELINES.items()}
    return simple, [score(predictions(model, store, codes)) for model in models]


def joined(values: list[dict]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([v[name] for v in values]) for name in values[0]}


def show(name: str, values: dict[str, np.ndarray]) -> None:
    print(f"{name:18}" + "".join(f"{mean_over_perturbations(values[c])[0]:10.3f}" for c in COLUMNS))


def setting(title: str, stores: list, seeds: list[int], recipe: str) -> None:
    """One run a store and seed; a table of val, a table of test with verdicts."""
    start = time.perf_counter()
    models = [[trained(*store, settings(recipe, seed)) for seed in seeds] for store in stores]
    seconds = (time.perf_counter() - start) / len(stores) / len(seeds)
    for part in ("val", "test"):
        found = [scores(s, part, m) for (s, _), m in zip(stores, models, strict=True)]
        simple = {name: joined([f[0][name] for f in found]) for name in found[0][0]}
        ours = [joined([f[1][i] for f in found]) for i in range(len(seeds))]
        print(f"\n{title}, {part}, {recipe}: {len(ours[0]['l2'])} perturbations, {seconds:.0f} s a run")
        for name, values in simple.items():
            show(name, values)
        for seed, values in zip(seeds, ours, strict=True):
            show(f"JEPA, seed {seed}", values)
        mean = {name: np.mean([np.nan_to_num(v[name]) for v in ours], 0) for name in COLUMNS}
        for row in judge(mean, simple):
            print(f"  {row['metric']}: {row['model']:.3f} against {row['baseline']:.3f} "
                  f"({row['best_baseline']}), {row['difference']:+.3f} [{row['low']:+.3f}, "
                  f"{row['high']:+.3f}], {row['verdict']}")  # fmt: skip


def main() -> None:
    from anndata import read_h5ad

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        data = read_h5ad(sys.argv[1])
        data = data[data.obs.cell_type == "k562"].copy()
        data.write_h5ad(folder / "k562.h5ad")
        names = ["+".join(sorted(n.split("+"))) for n in sorted(set(data.obs.condition))]
        pairs = [n for n in names if "+" in n]
        both = [n for n in pairs if set(n.split("+")) <= set(names)]
        rest = [n for n in pairs if n not in both]
        share = {"val": 0.05, "test": 0.05}
        split = {"kind": "combination", "test_units": both, "val_units": rest, **share}
        singles = [prepared(folder / "k562.h5ad", folder / "c", split)]
        genes = [
            prepared(folder / "k562.h5ad", folder / f"b{i}", {"kind": "perturbation", "seed": i})
            for i in range(4)
        ]
        for recipe in sys.argv[2:] or ["chosen"]:
            setting("C. pairs of measured singles", singles, [0, 1, 2], recipe)
            setting("B. unseen genes, splits 0 to 3", genes, [0], recipe)


if __name__ == "__main__":
    main()
