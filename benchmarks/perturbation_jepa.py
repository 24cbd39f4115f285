"""Question: does a JEPA of cells predict unmeasured perturbations as well as the best simple baseline?

Measured: as it was trained not; with its shifts refitted in closed form it reaches it (RESULTS.md).

The set and the conventions of setting C are those of perturbation_baselines.py, on K562 only, but
prepared by ``prepare_expression``: controls are divided between train, val and test. Run:

    python benchmarks/perturbation_jepa.py devel.h5ad            # the chosen recipe
    python benchmarks/perturbation_jepa.py devel.h5ad NAME ...   # others of RECIPES

- B: genes held out (15 % val, 15 % test), every combination with them, splits 0 to 3 and 4 to 7;
- C: trained on singles; tested on the five pairs of which both are measured; the other ten pairs are
  val.

Three seeds each. *predictor*: the control mean plus the readout of (prediction for the perturbation -
prediction for no perturbation), averaged over training controls. *shifts*: the readout of what
metrics.perturbation.shifts, fitted on the encoder's latents, says; the mean of the seeds' predictions is
what is judged. The same on latents of the encoder before training, and on expression itself, says
what the encoder adds. The ridge readout is fitted on training cells. Baselines see the same
training cells. Intervals and verdicts: metrics.perturbation.verdicts, over distinct perturbations.
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
from jepa_steps.metrics.perturbation.shifts import fit_shifts
from jepa_steps.metrics.perturbation.verdicts import judge
from jepa_steps.model.expression import cell_jepa
from jepa_steps.model.jepa import Jepa

CPU = torch.device("cpu")
COLUMNS = ("pearson_delta", "pearson_delta_perturbed", "l2", "discrimination")
STEPS, LR, SEEDS = 800, 2e-3, (0, 1, 2)
JUDGED = "shifts, mean of them"

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


def trained(store: ExpressionStore, features: np.ndarray, s: ExpressionJepa, steps: int = STEPS) -> Jepa:
    loadings = expression_loadings(store.csr.matrix(store.rows("train")), 32)
    vocabulary, _ = read_vocabulary(store.perturbations)
    modules = gene_modules(loadings, s.model.tokens)
    jepa = cell_jepa(s, len(store.genes), modules, vocabulary, features)
    batches = PerturbationBatches(
        store, s.batch_size, s.model.tokens, s.seed, World(0, 1, CPU), s.unknown_share, s.control_share
    )
    (optimizer,) = optimizers(jepa, parse(Optimizer, {"weight_decay": 0.01}, "optimizer"))
    parameters = [p for p in jepa.parameters() if p.requires_grad]
    for step in range(steps):
        rise, fall = (step + 1) / (0.1 * steps), np.cos(np.pi * max(0, step / steps - 0.1) / 0.9)
        schedule(optimizer, LR * min(1, rise) * (0.01 + 0.99 * (1 + fall) / 2), 0.01)
        optimizer.zero_grad()
        jepa.loss(jepa(*batches(step)), step)[0].backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if jepa.target_encoder is not None:
            update_ema(jepa.target_encoder, jepa.encoder, 0.99 + 0.01 * step / steps)
    return jepa


class Known:
    """What every method is given: the store, and its training cells by name."""

    def __init__(self, store: ExpressionStore):
        self.store, self.rows = store, store.rows("train")
        parts = [[p[0] for p in c["parts"]] for c in store.perturbations["conditions"]]
        self.names = [condition(*genes) for genes in parts]
        self.conditions = [self.names[c] for c in store.condition[self.rows]]
        self.contexts = [store.contexts[c] for c in store.context[self.rows]]
        self.expression = store.csr.matrix(self.rows)

    def shifts(self, latents: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Mean latents (P, D) of conditions int64 (P,), by shifts fitted on those of training cells."""
        fit = fit_shifts(latents, self.conditions, self.contexts)
        return fit([self.names[c] for c in codes], self.contexts[:1] * len(codes))


@torch.no_grad()
def predictions(jepa: Jepa, known: Known, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean expression float64 (P, G) of conditions int64 (P,), by the predictor and by shifts."""
    store, train, read = known.store, known.rows, Expression(known.store, CPU)

    def target_space(tokens: Tensor) -> np.ndarray:
        if jepa.target_encoder is not None:
            tokens = functional.layer_norm(tokens, tokens.shape[-1:])
        return tokens.flatten(1).numpy()

    latents = np.concatenate([target_space(jepa(read(rows))) for rows in np.array_split(train, 8)])
    readout = fit_readout(latents, known.expression)
    control = store.condition[train] == 0
    x = read(train[control])
    every = torch.arange(jepa.encoder.grid[0]).expand(len(x), -1)
    context, entries = jepa.encoder(x, every), Perturbations(store, 0.0, 0).conditions

    def mean_prediction(code: int) -> np.ndarray:
        told = [torch.from_numpy(part) for part in entries.take(np.full(len(x), code))]
        return jepa.predictor(context, every, every[:, None], *told).flatten(1).numpy().mean(0)

    effects = np.stack([mean_prediction(code) for code in codes]) - mean_prediction(0)
    unchanged = np.asarray(known.expression[control].mean(0))
    return unchanged + effects @ readout.coefficients, readout(known.shifts(latents, codes))


def scores(store: ExpressionStore, part: str, models: list[Jepa], untrained: Jepa) -> tuple[dict, dict]:
    """Values (P,) of each baseline, and of each method, on the perturbations of a part."""
    known, rows = Known(store), store.rows(part)
    table = training_table(known.expression, known.conditions, known.contexts)
    rows = rows[store.condition[rows] > 0]
    codes, own = np.unique(store.condition[rows], return_inverse=True)
    observed = group_means(store.csr.matrix(rows), own, len(codes))
    asked, places = [known.names[c] for c in codes], known.contexts[:1] * len(codes)
    reference = [f(table, asked, places) for f in (baselines.no_change, baselines.perturbed_mean)]
    said = {"expression, shifts": known.shifts(known.expression.toarray(), codes)}
    said["untrained, shifts"] = predictions(untrained, known, codes)[1]
    for seed, model in enumerate(models):
        both = predictions(model, known, codes)
        said |= dict(zip((f"predictor, seed {seed}", f"shifts, seed {seed}"), both, strict=True))
    said[JUDGED] = np.mean([said[f"shifts, seed {seed}"] for seed in range(len(models))], 0)

    def score(predicted: np.ndarray) -> dict[str, np.ndarray]:
        values = evaluate(predicted, observed, *reference, places)
        return {name: values[name] for name in COLUMNS} | {
            "units": np.array(["+".join(c) for c in asked])
        }

    simple = {name: f(table, asked, places) for name, f in baselines.BASELINES.items()}
    return tuple({name: score(x) for name, x in group.items()} for group in (simple, said))


def joined(values: list[dict]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([v[name] for v in values]) for name in values[0]}


def show(name: str, values: dict[str, np.ndarray]) -> None:
    print(f"{name:20}" + "".join(f"{mean_over_perturbations(values[c])[0]:10.3f}" for c in COLUMNS))


def setting(title: str, stores: list, recipe: str) -> None:
    """A run a store and seed; a table of val, a table of test, each with verdicts."""
    start = time.perf_counter()
    models = [[trained(*store, settings(recipe, seed)) for seed in SEEDS] for store in stores]
    seconds = (time.perf_counter() - start) / len(stores) / len(SEEDS)
    before = [trained(*store, settings(recipe, 0), steps=0) for store in stores]
    for part in ("val", "test"):
        found = [scores(s, part, m, b) for (s, _), m, b in zip(stores, models, before, strict=True)]
        simple, said = (
            {name: joined([f[i][name] for f in found]) for name in found[0][i]} for i in (0, 1)
        )
        units = said[JUDGED]["units"]
        print(f"\n{title}, {part}, {recipe}: {len(units)} perturbations, {len(set(units))} distinct, "
              f"{seconds:.0f} s a run")  # fmt: skip
        for name, values in {**simple, **said}.items():
            show(name, values)
        for against in (simple, {"expression, shifts": said["expression, shifts"]}):
            for row in judge(said[JUDGED], against, units=units):
                print(f"  {row['metric']}: {row['model']:.3f} against {row['baseline']:.3f} "
                      f"({row['best_baseline']}), {row['difference']:+.3f} [{row['low']:+.3f}, "
                      f"{row['high']:+.3f}], p {row['p_holm']:.3f}, {row['verdict']}")  # fmt: skip


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
            for i in range(8)
        ]
        for recipe in sys.argv[2:] or ["chosen"]:
            setting("C. pairs of measured singles", singles, recipe)
            setting("B. unseen genes, splits 0 to 3", genes[:4], recipe)
            setting("B. unseen genes, splits 4 to 7", genes[4:], recipe)


if __name__ == "__main__":
    main()
