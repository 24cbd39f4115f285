"""A screen through train, embed, evaluate, probe, rank and monitor."""

import csv
import hashlib
import json

import numpy as np
import pytest
import ranks
import torch
from support import parse_training

from jepa_steps import embed, evaluate, load_encoder, monitor, probe, rank, report, train
from jepa_steps.config import parse
from jepa_steps.engine.loop import Trainer
from jepa_steps.errors import InputError
from jepa_steps.metrics.comparison import holm
from jepa_steps.modalities.expression.batches import PerturbationBatches
from jepa_steps.modalities.expression.dataset import ExpressionDataset
from jepa_steps.modalities.expression.effects.predictor import Effects
from jepa_steps.modalities.expression.prepare import prepare
from jepa_steps.modalities.expression.store import open_store
from jepa_steps.modalities.expression.views import replicates

GENES = 40
SPEC = {
    "encoder": "bio-jepa",
    "steps": 60,
    "batch_size": 64,
    "model": {"tokens": 4, "dim": 16, "depth": 1, "heads": 1},
    "predictor": {"dim": 16, "depth": 0, "heads": 1},
    "objective": {"kind": "vicreg"},
    "optimizer": {"lr": 0.003},
    "threads": 1,
    "validate_every": 30,
    "log_every": 20,
}
UNTRAINED = {"encoder": "bio-untrained", "model": SPEC["model"]}


def screen(path, batch_effect=0.0):
    """Logarithmic expression of singles and pairs of six genes whose effects add up, in two batches."""
    rng = np.random.default_rng(0)
    names = [f"p{i}" for i in range(6)]
    effects = dict(zip(names, rng.normal(size=(6, GENES)), strict=True))
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    asked = [(), *((name,) for name in names), *pairs]
    cells = [genes for genes in asked for _ in range(40 if genes else 160)]
    base = rng.uniform(2, 4, GENES)
    batch = np.arange(len(cells)) % 2
    x = np.stack([base + sum((effects[g] for g in genes), np.zeros(GENES)) for genes in cells])
    x += 0.3 * rng.normal(size=x.shape) + batch_effect * batch[:, None]
    np.savez(
        path,
        X=np.maximum(x, 0).astype(np.float32),
        genes=[f"g{i}" for i in range(GENES)],
        perturbation=["+".join(genes) or "control" for genes in cells],
        batch=np.array(["one", "two"])[batch],
    )
    return path


def prepared(folder, split, **more):
    spec = {"source": "npz", "path": str(screen(folder / "screen.npz", **more)), "input": "log"}
    spec |= {"perturbation_type": "knockdown", "split": split}
    prepare(parse(ExpressionDataset, spec, "test"), folder / "data")
    return folder / "data"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    split = {"kind": "combination", "val_units": ["p0+p1"], "test_units": ["p2+p3", "p1+p4", "p0+p5"]}
    return prepared(folder, split)


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("cells"), {"kind": "cell", "allow_leaky": True})


@pytest.fixture(scope="module")
def of_cells(tmp_path_factory, cells):
    """Folder of each step of SPEC on them."""
    return run(called, tmp_path_factory.mktemp("of_cells"), cells, SPEC)


@pytest.fixture(scope="module")
def of_pairs(tmp_path_factory, pairs):
    """Folder of each step of SPEC on them."""
    return run(called, tmp_path_factory.mktemp("of_pairs"), pairs, SPEC)


def called(module, *args):
    """A step's main, called as ``step`` calls it."""
    module.main([json.dumps(a) if isinstance(a, dict) else str(a) for a in args])
    return 0, "", ""


def run(step, tmp_path, data, spec, name="a"):
    """Folder of each step of one experiment."""
    at = {s: tmp_path / s / name for s in ("train", "embed", "evaluate", "monitor", "rank", "probe")}
    rows, splits = at["embed"] / "embeddings.npy", data / "splits.csv"
    both = ("--splits", splits, "--embeddings", rows, "--tokens", rows.with_name("tokens.npy"))
    calls = [
        (train, "--spec", spec, "--data", data, "--checkpoints", tmp_path / "runs" / name),
        (embed, "--encoder", at["train"], "--data", data, "--spec", {"poolings": ["concat"]}),
        (evaluate, "--train", at["train"], "--data", data),
        (monitor, "--embed", at["embed"], "--train", at["train"], "--data", data,
         "--evaluation", at["evaluate"] / "evaluation.json"),
        (rank, *both, "--views", rows.with_name("views.npy")),
        (probe, *both, "--spec", {"bootstrap": 200, "few_labels": [5], "few_draws": 2}),
    ]  # fmt: skip
    for (module, *arguments), out in zip(calls, at.values(), strict=True):
        code, _, err = step(module, *arguments, "--out", out)
        assert code == 0, f"{module.__name__}: {err}"
    return at


def read(folder, name):
    return json.loads((folder / f"{name}.json").read_text())


def test_pairs_of_an_additive_screen_are_predicted_as_well_as_by_adding_up(of_pairs, pairs):
    at = of_pairs
    found = read(at["evaluate"], "evaluation")
    assert (found["task"], found["split"], found["leaky"]) == ("perturbation", "combination", False)
    assert (found["perturbations"], found["cells"]) == ({"by_context": 3, "distinct": 3}, 120)
    mean = {name: values["pearson_delta"]["mean"] for name, values in found["methods"].items()}
    assert mean["JEPA"] > 0.95 and mean["additive"] > 0.95
    assert mean["shuffled_labels"] < 0.6 < mean["predictor"]
    floors = {"expression_shifts", "pca_shifts", "untrained_shifts", "ridge"}
    assert floors <= set(found["methods"]) and min(mean[name] for name in floors) > 0.9
    assert found["conditions"]["predicted_share"] > 0.3
    assert {row["verdict"] for row in found["verdicts"]} == {"undecided"}  # three perturbations
    rows = found["verdicts"]  # energy distance, which has no ceiling, is one of the metrics that count
    assert {row["metric"] for row in rows if row["ceiling"] is None} == {"energy_distance"}
    assert [row["p_holm"] for row in rows] == pytest.approx(list(holm([row["p"] for row in rows])))
    with (at["evaluate"] / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["method"] for row in rows} == {*found["methods"], "ceiling"}
    ours = [float(row["pearson_delta"]) for row in rows if row["method"] == "JEPA"]
    assert np.mean(ours) == pytest.approx(mean["JEPA"])
    means = np.load(at["evaluate"] / "predictions.npy")
    store = open_store(pairs)
    names = [row["perturbation"] for row in rows if row["method"] == "JEPA"]
    for name, predicted, value in zip(names, means, ours, strict=True):
        codes = [i for i, c in enumerate(store.perturbations["conditions"]) if c["perturbation"] == name]
        observed = store.samples(np.flatnonzero(np.isin(store.condition, codes))).mean(0)
        train_rows = store.rows("train")
        control = store.samples(train_rows[store.condition[train_rows] == 0]).mean(0)
        assert np.corrcoef(predicted - control, observed - control)[0, 1] == pytest.approx(
            value, abs=1e-4
        )


def test_whole_perturbations_held_out_are_probed_within_the_test_part(of_pairs, pairs):
    at = of_pairs
    probed = read(at["probe"], "probe")
    assert "divided anew" in probed["parts"] and sum(probed["n"].values()) == 120 + 24
    assert probed["logistic"]["accuracy"] > 0.9
    assert probed["of_covariates"]["batch"]["accuracy"] < 0.7
    assert "context" not in probed["of_covariates"]
    with (at["probe"] / "predictions.csv").open() as file:
        index = [int(row["index"]) for row in csv.DictReader(file)]
    assert set(index) <= set(open_store(pairs).rows("test").tolist())
    ranked = read(at["rank"], "rank")
    assert ranked["lidar"]["q"] == 8 and ranked["alignment"] > 0
    assert read(at["monitor"], "monitor")["conditions"]["inputs"] == 64


def test_a_random_split_is_evaluated_and_called_leaky(step, tmp_path, cells, of_cells):
    at, results = of_cells, of_cells["train"].parents[1]
    assert read(at["evaluate"], "evaluation")["leaky"]
    probed = read(at["probe"], "probe")
    assert probed["parts"] == "as prepared" and probed["logistic"]["accuracy"] > 0.9
    run(step, results, cells, {"encoder": "raw"}, "b")
    names = ("--experiments", "a", "b", "--out", tmp_path / "report")
    assert step(report, "--results", results, "--data", cells, *names)[0] == 0
    summary = (tmp_path / "report" / "summary.md").read_text()
    lines = [line for line in summary.splitlines() if line.startswith("- **a** predicts, ")]
    assert len(lines) >= 6 and all("LEAKY: training saw" in line for line in lines)
    page = (tmp_path / "report" / "report.html").read_text()
    assert (
        "Leak in the data:</strong> cells are split at random" in page
        and "Recall, not prediction" in page
    )
    assert "the same shifts without an encoder" in page and "p0+p1" in page
    assert "Masks on images" not in page


@pytest.mark.usefixtures("no_figures")
def test_batch_dominated_embeddings_are_named(step, tmp_path):
    data = prepared(tmp_path, {"kind": "cell", "allow_leaky": True}, batch_effect=6.0)
    at = run(step, tmp_path, data, SPEC)
    found = read(at["monitor"], "monitor")
    finding = next(f for f in found["findings"] if f["name"] == "nuisance-dominated embeddings")
    assert f"{found['nuisance']['group_beyond_label']:.0%} of the variance" in finding["evidence"]
    assert finding["remedy"] == {}  # the data have to be mended, not the settings
    assert read(at["probe"], "probe")["of_covariates"]["batch"]["accuracy"] > 0.95


@pytest.mark.usefixtures("no_figures")
def test_a_predictor_that_is_told_wrong_perturbations_learns_to_ignore_them(
    step, tmp_path, cells, of_cells, monkeypatch
):
    of = PerturbationBatches.of

    def misled(self, epoch, rows):
        *views, slots, weights, types, dose = of(self, epoch, rows)
        order = torch.from_numpy(np.random.default_rng(int(rows[0])).permutation(len(rows)))
        return *views, *(part[order] for part in (slots, weights, types, dose))

    assert "condition ignored" not in names(of_cells)
    monkeypatch.setattr(PerturbationBatches, "of", misled)
    at = run(step, tmp_path, cells, SPEC, "b")
    assert "condition ignored" in names(at)


def names(at):
    return [finding["name"] for finding in read(at["monitor"], "monitor")["findings"]]


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("spec", [{"encoder": "raw"}, {"encoder": "pca", "dim": 5}, UNTRAINED])
def test_floors_go_through_the_same_steps_and_predict_nothing(step, tmp_path, cells, spec):
    at = run(step, tmp_path, cells, spec)
    assert read(at["evaluate"], "evaluation")["task"] is None
    assert read(at["probe"], "probe")["logistic"]["accuracy"] > 0.9
    assert read(at["monitor"], "monitor")["verdict"] == "floor"


@pytest.mark.usefixtures("no_figures")
def test_hidden_modules_of_genes_are_a_task_too(step, tmp_path, cells):
    spec = {**SPEC, "task": "masked genes", "objective": {"kind": "ema_target"}}
    at = run(step, tmp_path, cells, {**spec, "predictor": {"dim": 16, "depth": 1, "heads": 1}})
    assert read(at["evaluate"], "evaluation")["task"] is None
    assert read(at["probe"], "probe")["logistic"]["accuracy"] > 0.5


def test_the_untrained_floor_of_shifts_is_the_untrained_experiment(step, tmp_path, cells):
    """Same architecture, same seed: its latents are the tokens of that experiment's encoder."""
    spec = {**UNTRAINED, "seed": 3}
    assert step(train, "--spec", spec, "--data", cells, "--out", tmp_path / "train")[0] == 0
    store = open_store(cells)
    rows = store.rows("train")[:20]
    effects = Effects(parse_training({**SPEC, "seed": 3}, "test"), None, store)
    tokens = load_encoder(tmp_path / "train").encode(store.samples(rows))
    assert np.allclose(effects.latents(rows), tokens.flatten(1).numpy(), atol=1e-5)


def test_cell_eval_reads_predicted_and_real_cells(step, tmp_path, cells, of_cells):
    anndata = pytest.importorskip("anndata", reason="pip install 'jepa-steps[expression]'")
    at = of_cells
    arguments = ("--train", at["train"], "--data", cells, "--out", tmp_path / "again")
    assert step(evaluate, *arguments, "--export", tmp_path / "export")[0] == 0
    said, real = (anndata.read_h5ad(tmp_path / "export" / f"{n}.h5ad") for n in ("predictions", "real"))
    store, means = open_store(cells), np.load(tmp_path / "again" / "predictions.npy")
    test = store.rows("test")
    assert list(said.var_names) == list(real.var_names) == store.genes
    assert list(said.obs.iloc[:, 0]) == list(real.obs.iloc[:, 0]) and said.n_obs == len(test)
    with (tmp_path / "again" / "scores.csv").open() as file:
        asked = [row for row in csv.DictReader(file) if row["method"] == "JEPA"]
    names = np.array(said.obs.iloc[:, 0])
    for row, mean in zip(asked, means, strict=True):
        mine = names == row["perturbation"]
        assert mine.sum() == int(row["cells"])
        assert np.allclose(np.asarray(said.X[mine]), np.maximum(mean, 0), atol=1e-5)
    controls = test[store.condition[test] == 0]
    unchanged = np.asarray(real.X[names == "non-targeting"])
    assert np.allclose(np.sort(unchanged, 0), np.sort(store.samples(controls), 0), atol=1e-5)


def test_a_loaded_encoder_takes_stored_expression(cells, of_cells):
    at = of_cells
    store, encoder = open_store(cells), load_encoder(at["train"])
    rows = np.arange(50)
    stored = np.load(at["embed"] / "embeddings.npy")[rows]
    assert np.allclose(encoder.embed(store.samples(rows)).numpy(), stored, atol=1e-5)
    assert encoder.config["genes"] == store.genes
    with pytest.raises(InputError, match="expected float32"):
        encoder.embed(store.samples(rows)[:, :-1])


def hashes(folder):
    names = ("encoder.safetensors", "jepa.safetensors", "snapshots.safetensors", "metrics.csv")
    return [hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in (*names, "validation.csv")]


@pytest.mark.parametrize("task", ["perturbation", "masked genes"])
def test_interrupted_and_resumed_gives_the_same_bytes(step, tmp_path, cells, monkeypatch, task):
    spec = {**SPEC, "task": task, "checkpoint_every": 15}
    spec["predictor"] = {"dim": 16, "depth": 1, "heads": 1}

    def trained(name):
        arguments = ("--spec", spec, "--data", cells, "--out", tmp_path / name)
        assert step(train, *arguments, "--checkpoints", tmp_path / f"{name}-runs")[0] == 0
        return hashes(tmp_path / name)

    whole, plain = trained("whole"), Trainer.train_step

    def dying(self):
        if self.step == 37:
            raise KeyboardInterrupt
        plain(self)

    monkeypatch.setattr(Trainer, "train_step", dying)
    with pytest.raises(KeyboardInterrupt):
        trained("killed")
    monkeypatch.setattr(Trainer, "train_step", plain)
    assert trained("killed") == whole


@pytest.mark.slow
@pytest.mark.parametrize("depth", [0, 1])
def test_two_processes_train_cells_as_one(step, tmp_path, cells, depth):
    spec = json.dumps({**SPEC, "predictor": {"dim": 16, "depth": depth, "heads": 1}})
    losses = []
    for n in (1, 2):
        out = tmp_path / str(n)
        ranks.train(n, spec, cells, out, tmp_path / f"r{n}")
        with (out / "metrics.csv").open() as file:
            losses.append([float(row["loss"]) for row in csv.DictReader(file)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_replicates_are_different_training_cells_of_one_condition_and_context(cells):
    store = open_store(cells)
    rows = replicates(store, 5, 12)
    assert rows.shape == (12, 5) and set(rows.ravel()) <= set(store.rows("train"))
    assert all(len(set(row)) == 5 and len(set(store.condition[row])) == 1 for row in rows.tolist())
    assert replicates(store, 500, 12).shape == (0, 500)


def test_cells_of_other_data_are_refused(step, tmp_path, of_cells, pairs):
    code, _, err = step(evaluate, "--train", of_cells["train"], "--data", pairs, "--out", tmp_path / "x")
    assert code == 2 and "train it again" in err and not (tmp_path / "x").exists()
