"""Series through prepare, train, embed, evaluate, probe, rank, monitor and report."""

import csv
import hashlib
import json

import numpy as np
import pytest
import ranks
import torch
from safetensors.numpy import load_file
from series_factory import stored
from support import parse_training

from jepa_steps import embed, evaluate, load_encoder, monitor, probe, rank, train
from jepa_steps.engine.distributed import World
from jepa_steps.engine.loop import Trainer
from jepa_steps.errors import InputError
from jepa_steps.modalities.series.batches import SeriesBatches
from jepa_steps.modalities.series.minirocket import MiniRocket, dilations
from jepa_steps.modalities.series.store import open_store
from jepa_steps.model.export import load_online

MODEL = {"dim": 32, "depth": 0, "heads": 2, "kernels": 48}
VIEWS = {
    "encoder": "series-jepa",
    "steps": 60,
    "batch_size": 32,
    "model": MODEL,
    "objective": {"projector": 32},
    "optimizer": {"lr": 0.002},
    "threads": 1,
    "validate_every": 20,
    "log_every": 20,
    "checkpoint_every": 25,
}
FUTURE = {
    **VIEWS,
    "task": "future",
    "model": {"tokenizer": "patches", "channels": "separate", "patch_length": 5, "dim": 16, "depth": 1,
              "heads": 1},
    "objective": {"kind": "ema_target+vicreg", "ema_momentum": [0.9, 1.0]},
}  # fmt: skip


def classes(rng, n: int = 180) -> tuple[np.ndarray, np.ndarray]:
    """Series of 24 to 40 steps of 2 channels in three classes that differ in frequency; few are missing."""
    label = np.arange(n) % 3
    t = np.arange(40)
    phase = rng.uniform(0, 6, (n, 2, 1))
    x = np.sin(t * (0.4 + 0.5 * label[:, None, None]) + phase) + 0.2 * rng.normal(size=(n, 2, 40))
    x = x.transpose(0, 2, 1).astype(np.float32)
    x[rng.random(x.shape) < 0.02] = np.nan
    return x, label


@pytest.fixture(scope="session")
def labelled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    rng = np.random.default_rng(0)
    x, y = classes(rng)
    lengths = rng.integers(24, 41, len(x))
    np.savez(folder / "x.npz", X=x, y=y, lengths=lengths, site=np.array(["north", "south"])[y % 2])
    from jepa_steps.config.training import parse_dataset
    from jepa_steps.modalities.series.prepare import prepare, summary

    spec = {"source": "arrays", "path": str(folder / "x.npz"), "nuisances": ["site"]}
    manifest = prepare(parse_dataset(spec, "test", "series"), folder / "data", 1)
    assert any("missing" in line for line in summary(manifest, folder))
    return folder / "data"


@pytest.fixture(scope="session")
def windowed(tmp_path_factory):
    folder, t = tmp_path_factory.mktemp("windows"), np.arange(1500)
    rng = np.random.default_rng(0)
    x = np.stack([np.sin(t * np.pi / 6), np.sin(t * np.pi / 6 + 1)], 1) + 0.2 * rng.normal(
        size=(1500, 2)
    )
    split = {"kind": "time", "val": 0.2, "test": 0.3}
    stored(
        x[None].astype(np.float32), folder, context_length=30, target_length=12, stride=1, split=split
    )
    return folder / "data"


def trained(step, tmp_path, data, spec, name="a"):
    out = tmp_path / name
    code, _, err = step(
        train, "--spec", spec, "--data", data, "--out", out, "--checkpoints", tmp_path / f"{name}-runs"
    )
    assert code == 0, err
    return out


def judged(step, tmp_path, data, spec):
    out = trained(step, tmp_path, data, spec)
    e = tmp_path / "embed"
    told = {"poolings": ["max", "concat", "online-mean"]}
    assert step(embed, "--spec", told, "--encoder", out, "--data", data, "--out", e)[0] == 0
    arguments = ("--embeddings", e / "embeddings.npy", "--splits", data / "splits.csv")
    arguments += ("--poolings", e / "poolings.safetensors", "--out", tmp_path / "probe")
    assert step(probe, *arguments)[0] == 0
    code, _, err = step(evaluate, "--train", out, "--data", data, "--out", tmp_path / "evaluate")
    assert code == 0, err
    arguments = ("--embed", e, "--data", data, "--train", out, "--out", tmp_path / "monitor")
    code, _, err = step(monitor, *arguments, "--evaluation", tmp_path / "evaluate" / "evaluation.json")
    assert code == 0, err
    assert step(rank, "--embeddings", e / "embeddings.npy", "--splits", data / "splits.csv",
                "--out", tmp_path / "rank")[0] == 0  # fmt: skip
    return {p: json.loads((tmp_path / p / f"{p}.json").read_text()) for p in ("probe", "monitor")}


def test_from_series_to_a_verdict(step, tmp_path, labelled):
    found = judged(step, tmp_path, labelled, VIEWS)
    assert found["probe"]["logistic"]["accuracy"] > 0.8
    assert set(found["probe"]["of_targets"]) == {"site", "offset", "scale"}
    assert "temporal collapse" not in [f["name"] for f in found["monitor"]["findings"]]
    told = json.loads((tmp_path / "evaluate" / "evaluation.json").read_text())
    assert told["task"] is None and "target_length 0" in told["reason"]
    store, encoder = open_store(labelled), load_encoder(tmp_path / "a")
    assert encoder.embed(store.samples(np.arange(4))).shape == (4, 32)
    for picture in ("samples", "neighbours"):
        assert "a floor" not in (tmp_path / "monitor" / f"{picture}.svg").read_text()


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("encoder", ["raw", "pca", "minirocket", "statistics", "series-untrained"])
def test_floors_go_through_the_same_steps(step, tmp_path, labelled, encoder):
    own = {"pca": {"dim": 8}, "minirocket": {"features": 84}, "series-untrained": {"model": MODEL}}
    found = judged(step, tmp_path, labelled, {"encoder": encoder, **own.get(encoder, {})})
    assert found["monitor"]["verdict"] == "floor"
    assert np.isfinite(np.load(tmp_path / "embed" / "embeddings.npy")).all()


@pytest.mark.usefixtures("no_figures")
def test_forecasts_beside_their_floors(step, tmp_path, windowed):
    found = judged(step, tmp_path, windowed, FUTURE)
    told = json.loads((tmp_path / "evaluate" / "evaluation.json").read_text())
    assert told["period"] == 12 and told["horizons"] == [12]
    mse = {name: lines["mse 12"]["mean"] for name, lines in told["methods"].items()}
    assert mse["ridge_past"] < mse["last_season"] < mse["last_value"]
    assert mse["embedding"] < mse["last_season"]
    assert {row["verdict"] for row in told["verdicts"]} <= {"beats", "ties", "below", "undecided"}
    assert found["monitor"]["persistence"]["predicted"] < 2
    poolings = json.loads((tmp_path / "embed" / "embed.json").read_text())["poolings"]
    assert "online-mean" in poolings  # beside the moving average's
    store, online = open_store(windowed), load_online(tmp_path / "a")
    rows = np.load(tmp_path / "embed" / "embeddings.npy")
    ours = load_file(tmp_path / "embed" / "poolings.safetensors")["online-mean"]
    assert np.allclose(ours[:9], online.embed(store.samples(np.arange(9))).numpy(), atol=1e-5)
    assert not np.allclose(ours, rows, atol=1e-3)
    with (tmp_path / "evaluate" / "scores.csv").open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["method"] == "last_value"]
    assert np.mean([float(r["mse"]) for r in rows]) == pytest.approx(mse["last_value"])
    code, _, err = step(evaluate, "--spec", {"horizons": [40]}, "--train", tmp_path / "a", "--data",
                        windowed, "--out", tmp_path / "far")  # fmt: skip
    assert code == 2 and "evaluate.horizons: found 40, expected at most target_length 12" in err


@pytest.mark.parametrize(("task", "data"), [("views", "labelled"), ("masked", "labelled"),
                                            ("future", "windowed")])  # fmt: skip
def test_interrupted_and_resumed_gives_the_same_bytes(step, tmp_path, request, monkeypatch, task, data):
    folder = request.getfixturevalue(data)
    spec = {**(VIEWS if task == "views" else FUTURE), "task": task, "steps": 30}
    names = ("encoder.safetensors", "snapshots.safetensors", "metrics.csv", "validation.csv")

    def hashes(out):
        return [hashlib.sha256((out / n).read_bytes()).hexdigest() for n in names]

    whole = hashes(trained(step, tmp_path, folder, spec, "whole"))
    plain = Trainer.train_step

    def dying(self):
        if self.step == 27:
            raise KeyboardInterrupt
        plain(self)

    monkeypatch.setattr(Trainer, "train_step", dying)
    with pytest.raises(KeyboardInterrupt):
        trained(step, tmp_path, folder, spec, "killed")
    monkeypatch.setattr(Trainer, "train_step", plain)
    assert hashes(trained(step, tmp_path, folder, spec, "killed")) == whole


@pytest.mark.parametrize("task", ["views", "masked", "future"])
def test_ranks_draw_the_batch_that_one_process_draws(labelled, task):
    store, cpu = open_store(labelled), torch.device("cpu")
    settings = parse_training({**(VIEWS if task == "views" else FUTURE), "task": task})
    arguments = (3, 2, (0.2, 0.3))
    alone = SeriesBatches(settings, store, cpu, World(0, 1, cpu))
    whole = alone(*arguments)
    steps = store.windows.places(alone.samples(3)[1])[1]

    class Member(World):
        def smallest(self, value):
            return next(least)

    for rank_ in range(2):  # the least of all ranks: tokens of a sample, then those that are visible
        least = iter([int((-(-steps // 5)).min()), whole[1].shape[1] // 2])
        batch = SeriesBatches(settings, store, cpu, Member(rank_, 2, cpu))(*arguments)
        for ours, all_ in zip(batch, whole, strict=True):
            assert torch.equal(ours.nan_to_num(9), all_[rank_::2].nan_to_num(9))


def test_series_too_short_for_two_tokens_are_refused(labelled):
    settings = parse_training({**FUTURE, "model": {**FUTURE["model"], "patch_length": 30}})
    with pytest.raises(InputError, match="leave one token of the shortest sample, of 24 steps"):
        SeriesBatches(settings, open_store(labelled), torch.device("cpu"))


def test_minirocket_is_the_papers_proportions_of_positive_values():
    """Against sums written out by hand, and the paper's number of features."""
    assert dilations(150, 9996)[1].sum() * 84 == 9996
    x = torch.randn(3, 40, 1, generator=torch.Generator().manual_seed(0))
    rocket = MiniRocket(40, 1, 84, 0, None)
    rocket.calibrated(x)
    found = rocket(x)[:, 0]
    weights = np.full(9, -1.0)
    weights[:3] = 2.0  # the first kernel, dilation 1, zeros at both ends
    for row, values in zip(found, x[..., 0].numpy(), strict=True):
        sums = np.correlate(np.pad(values, 4), weights, "valid")
        assert float(row[0]) == pytest.approx((sums > float(rocket.biases[0])).mean())
    weights = np.full(9, -1.0)
    weights[[0, 1, 3]] = 2.0  # the second one leaves four steps out on each side
    sums = np.correlate(x[0, :, 0].numpy(), weights, "valid")
    assert float(found[0, 1]) == pytest.approx((sums > float(rocket.biases[1])).mean())


@pytest.mark.slow
@pytest.mark.parametrize("task", ["views", "masked"])
def test_two_ranks_equal_one_process(step, tmp_path, labelled, task):
    """2 gloo ranks of B/2 follow one process of B: loss and weights, float32 noise."""
    spec = {**(VIEWS if task == "views" else FUTURE), "task": task, "steps": 10, "log_every": 1}
    one = trained(step, tmp_path, labelled, spec, "one")
    ranks.train(2, json.dumps(spec), labelled, tmp_path / "two", tmp_path / "two-runs")

    def losses(folder):
        with (folder / "metrics.csv").open(newline="") as file:
            return [float(row["loss"]) for row in csv.DictReader(file)]

    assert losses(tmp_path / "two") == pytest.approx(losses(one), rel=1e-4)
    ours, theirs = (load_file(f / "encoder.safetensors") for f in (tmp_path / "two", one))
    for name, array in theirs.items():
        same = np.isclose(ours[name], array, atol=1e-4)
        if name.endswith("qkv.bias"):
            # Softmax does not see the keys' bias: its gradient is rounding, which Adam makes a step of.
            same = np.delete(same, np.arange(len(same) // 3, 2 * len(same) // 3))
        assert same.all(), name


def test_new_series_are_embedded_as_those_of_the_store(step, tmp_path, labelled):
    encoder, store = trained(step, tmp_path, labelled, VIEWS), open_store(labelled)
    rows = store.rows("test")[:5]
    np.savez(tmp_path / "new.npz", X=store.samples(rows), lengths=store.windows.places(rows)[1])
    arguments = ("--encoder", encoder, "--series", tmp_path / "new.npz", "--out", tmp_path / "new.npy")
    code, out, err = step(embed, *arguments)
    assert code == 0 and "5 embeddings" in out, err
    wanted = load_encoder(encoder).embed(store.samples(rows)).numpy()
    assert np.allclose(np.load(tmp_path / "new.npy"), wanted, atol=1e-5)
    np.save(tmp_path / "long.npy", np.zeros((3, 90, 2), np.float32))
    code, _, err = step(embed, "--encoder", encoder, "--series", tmp_path / "long.npy", "--out",
                        tmp_path / "no.npy")  # fmt: skip
    assert code == 2 and "found 90 time steps of 2 channels, expected at most 40 of 2" in err
