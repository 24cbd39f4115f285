"""Clips through prepare, train, embed, evaluate, probe, rank, monitor and report."""

import csv
import hashlib
import json

import numpy as np
import pytest
import ranks
import torch
from modalities.video.clips import prepared
from support import ROOT, parse_training

from jepa_steps import embed, evaluate, load_encoder, monitor, probe, rank, report, train
from jepa_steps.engine.distributed import World
from jepa_steps.engine.loop import Trainer
from jepa_steps.modalities.video.batches import ClipBatches
from jepa_steps.modalities.video.jepa import video_jepa
from jepa_steps.modalities.video.store import open_store

MODEL = {"tubelet_length": 2, "patch_size": 6, "dim": 24, "depth": 1, "heads": 2}
MASKED = {
    "encoder": "video-jepa",
    "steps": 40,
    "batch_size": 32,
    "model": MODEL,
    "predictor": {"dim": 12, "depth": 1, "heads": 1},
    "objective": {"ema_momentum": [0.9, 1.0], "distance": "l1"},
    "optimizer": {"lr": 0.002},
    "threads": 1,
    "validate_every": 20,
    "log_every": 10,
    "checkpoint_every": 25,
}
FUTURE = {**MASKED, "task": "future"}
POOLED = {
    **MASKED,
    "model": {**MODEL, "tubelet_length": 4, "patch_size": 4},
    "objective": {"kind": "vicreg", "level": "pooled", "projector": 48},
    "augment": {"target": "own", "crop_scale": [0.5, 1.0], "brightness": 0.3},
    "optimizer": {"lr": 0.004, "weight_decay": 0.0001},
}
TASKS = {"masked": MASKED, "future": FUTURE, "pooled": POOLED}


@pytest.fixture(scope="session")
def moving(tmp_path_factory):
    out = tmp_path_factory.mktemp("moving")
    prepared(
        "moving-digits", ROOT / "README.md", out, videos=400, channels=1, image_size=24, clip_length=8
    )
    return out


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    out = tmp_path_factory.mktemp("small")
    prepared(
        "moving-digits", ROOT / "README.md", out, videos=100, channels=1, image_size=8, clip_length=2
    )
    return out


def trained(step, tmp_path, data, spec, name="a"):
    out = tmp_path / name
    code, _, err = step(
        train, "--spec", spec, "--data", data, "--out", out, "--checkpoints", tmp_path / f"{name}-runs"
    )
    assert code == 0, err
    return out


def judged(step, tmp_path, data, spec, **evaluated):
    out, results = trained(step, tmp_path, data, spec, "train/a"), tmp_path
    e = results / "embed/a"
    told = {"poolings": ["max", "slices"], "view_samples": 64, "token_samples": 64}
    assert step(embed, "--spec", told, "--encoder", out, "--data", data, "--out", e)[0] == 0
    arguments = ("--embeddings", e / "embeddings.npy", "--splits", data / "splits.csv")
    arguments += ("--poolings", e / "poolings.safetensors", "--out", results / "probe/a")
    assert step(probe, *arguments)[0] == 0
    code, _, err = step(
        evaluate, "--spec", evaluated, "--train", out, "--data", data, "--out", results / "evaluate/a"
    )
    assert code == 0, err
    arguments = ("--embed", e, "--data", data, "--train", out, "--out", results / "monitor/a")
    code, _, err = step(monitor, *arguments, "--evaluation", results / "evaluate/a/evaluation.json")
    assert code == 0, err
    assert step(rank, "--embeddings", e / "embeddings.npy", "--splits", data / "splits.csv",
                "--out", results / "rank/a")[0] == 0  # fmt: skip
    names = {"probe": "probe", "monitor": "monitor", "evaluate": "evaluation"}
    return {p: json.loads((results / p / "a" / f"{n}.json").read_text()) for p, n in names.items()}


def test_from_clips_to_a_verdict_and_a_page(step, tmp_path, moving):
    found = judged(step, tmp_path, moving, {**POOLED, "steps": 120}, pooling="max")
    told = found["evaluate"]
    assert told["task"] == "motion" and list(told["controls"]) == ["label", "axis", "speed", "digit"]
    scores = told["controls"]["label"]["scores"]
    assert scores["one_frame"]["high"] < 0.25 < scores["clip"]["low"]  # chance is 1/8
    assert scores["backwards"]["accuracy"] < scores["clip"]["accuracy"] / 2
    assert told["motion"]["verdict"] == "beats" == told["verdicts"][0]["verdict"]
    assert "no motion" not in [f["name"] for f in found["monitor"]["findings"]]
    for picture in ("masks", "samples", "neighbours"):
        assert "a floor" not in (tmp_path / "monitor/a" / f"{picture}.svg").read_text()
    arguments = ("--results", tmp_path, "--data", moving, "--experiments", "a", "--out", tmp_path / "r")
    assert step(report, *arguments)[0] == 0
    page = (tmp_path / "r" / "report.html").read_text()
    for text in ("SEMI-SYNTHETIC", "Motion controls", "played backwards, probe", "frames shuffled"):
        assert text in page


def test_predicted_frames_beside_predictions_without_a_model(step, tmp_path, moving):
    found = judged(step, tmp_path, moving, FUTURE, past=2)
    told = found["evaluate"]
    assert told["task"] == "future" and told["horizons"] == [1, 2] and told["past"] == 2
    error = {n: [lines[f"error {h}"]["mean"] for h in (1, 2)] for n, lines in told["methods"].items()}
    assert set(error) == {"predictor", "copy_last", "linear", "mean"}
    assert error["mean"] == pytest.approx([1, 1], abs=0.15)
    assert error["linear"][1] > error["copy_last"][1] > 0
    assert found["monitor"]["persistence"]["n"] == told["verdicts"][0]["n"]
    with (tmp_path / "evaluate/a/scores.csv").open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if (r["method"], r["column"]) == ("linear", "error 2")]
    assert np.mean([float(r["error"]) for r in rows]) == pytest.approx(error["linear"][1])
    shape = np.load(tmp_path / "evaluate/a/predictions.npy").shape
    assert shape == (len(rows), 2, MODEL["dim"])
    for wrong, text in (({"horizons": [3], "past": 2}, "horizons: found 3, expected at most 2"),
                        ({"past": 4}, "past: found 4, expected less than the 4 times"),
                        ({"pooling": "average"}, "found 'average'")):  # fmt: skip
        code, _, err = step(evaluate, "--spec", wrong, "--train", tmp_path / "train/a", "--data", moving,
                            "--out", tmp_path / "no")  # fmt: skip
        assert code == 2 and text in err


def test_errors_are_shares_of_the_variance(step, tmp_path, moving):
    """The line through two times, written out in float64."""
    out = trained(step, tmp_path, moving, FUTURE)
    code, _, err = step(evaluate, "--spec", {"horizons": [2]}, "--train", out, "--data", moving, "--out",
                        tmp_path / "e")  # fmt: skip
    assert code == 0, err
    told = json.loads((tmp_path / "e" / "evaluation.json").read_text())
    store, encoder = open_store(moving), load_encoder(out)
    clips, places = store.samples(store.rows("test")), 16
    whole = encoder.encode(clips).double().unflatten(1, (4, places))
    seen = np.broadcast_to(np.arange(2 * places), (len(clips), 2 * places))
    past = encoder.encode(clips, np.ascontiguousarray(seen)).double().unflatten(1, (2, places))
    normal = torch.nn.functional.layer_norm
    target, last, before = (normal(x, (24,)) for x in (whole[:, 3], past[:, 1], past[:, 0]))
    variance = (target - target.mean(0)).square().sum((1, 2)).mean()
    error = (last + 2 * (last - before) - target).square().sum((1, 2)).mean() / variance
    assert told["methods"]["linear"]["error 2"]["mean"] == pytest.approx(float(error), rel=1e-4)


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("spec", [
    {"encoder": "raw"}, {"encoder": "pca", "dim": 8}, {"encoder": "mean-frame"},
    {"encoder": "frame-differences", "size": 8}, {"encoder": "video-untrained", "model": {**MODEL, "patch_size": 4}},
], ids=lambda spec: spec["encoder"])  # fmt: skip
def test_floors_go_through_the_same_steps(step, tmp_path, small, spec):
    found = judged(step, tmp_path, small, spec)
    assert found["monitor"]["verdict"] == "floor"
    assert np.isfinite(np.load(tmp_path / "embed/a/embeddings.npy")).all()
    assert (found["evaluate"]["task"] == "motion") == (spec["encoder"] == "video-untrained")


@pytest.mark.usefixtures("no_figures")
def test_images_are_trained_as_clips_of_one_frame(step, tmp_path):
    data = tmp_path / "data"
    prepared(
        "moving-digits", ROOT / "README.md", data, videos=100, channels=1, image_size=24, clip_length=1
    )
    spec = {**MASKED, "model": {**MODEL, "tubelet_length": 1}}
    found = judged(step, tmp_path, data, spec)
    why = found["evaluate"]["reason"]
    assert "clips have too few times" in why and "clips of one frame have no motion" in why
    assert load_encoder(tmp_path / "train/a").grid == (1, 4, 4)


@pytest.mark.parametrize("task", TASKS)
def test_interrupted_and_resumed_gives_the_same_bytes(step, tmp_path, monkeypatch, moving, task):
    spec = {**TASKS[task], "steps": 30}
    names = ("encoder.safetensors", "snapshots.safetensors", "metrics.csv", "validation.csv")

    def hashes(out):
        return [hashlib.sha256((out / n).read_bytes()).hexdigest() for n in names]

    whole = hashes(trained(step, tmp_path, moving, spec, "whole"))
    plain = Trainer.train_step

    def dying(self):
        if self.step == 27:
            raise KeyboardInterrupt
        plain(self)

    monkeypatch.setattr(Trainer, "train_step", dying)
    with pytest.raises(KeyboardInterrupt):
        trained(step, tmp_path, moving, spec, "killed")
    monkeypatch.setattr(Trainer, "train_step", plain)
    assert hashes(trained(step, tmp_path, moving, spec, "killed")) == whole


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("number", [2, 3])
def test_ranks_draw_the_batch_that_one_process_draws(moving, task, number):
    store, cpu, settings = open_store(moving), torch.device("cpu"), parse_training(TASKS[task])
    grid = video_jepa(settings, store).encoder.grid
    whole = ClipBatches(settings, store, grid, World(0, 1, cpu))(number, 7)
    columns = [whole[1].shape[1] // grid[0], whole[2].shape[2] // grid[0]]  # of the fewest of any rank

    class Member(World):
        def smallest(self, value):
            return next(least)

    for rank_ in range(2):
        least = iter(columns)
        batch = ClipBatches(settings, store, grid, Member(rank_, 2, cpu))(number, 7)
        for ours, all_ in zip(batch, whole, strict=True):
            assert torch.equal(ours, all_[rank_::2])


def test_batches_take_turns_and_what_is_hidden_is_not_seen(moving):
    store, settings = open_store(moving), parse_training(MASKED)
    grid = video_jepa(settings, store).encoder.grid
    batches = ClipBatches(settings, store, grid, World(0, 1, torch.device("cpu")))
    for number in range(6):
        _, context, targets = batches(number, number)
        assert targets.shape[1] == 1
        assert not (context[:, :, None] == targets).any()
    future = ClipBatches(parse_training(FUTURE), store, grid, World(0, 1, torch.device("cpu")))
    for number in range(6):
        _, context, targets = future(number, number)
        frame = grid[1] * grid[2]
        assert targets.shape[2] == frame and (context < targets.min()).all()
        assert context.shape[1] % frame == 0 and targets.shape[1] == grid[0] - context.shape[1] // frame


def test_horizons_grow_over_training(moving):
    masks = {"horizon": 3, "first_horizon": 1, "past": [0.25, 0.25], "ramp": 1.0}
    store, settings = open_store(moving), parse_training({**FUTURE, "masks": masks})
    grid = video_jepa(settings, store).encoder.grid
    batches = ClipBatches(settings, store, grid, World(0, 1, torch.device("cpu")))
    seen = [batches(n, n)[2].shape[1] for n in (0, 20, 39)]
    assert seen == [1, 2, 3] and batches.masks.scheduled(39) == {"horizon": 3}


def test_frames_of_a_clip_are_varied_alike(moving):
    store, settings = open_store(moving), parse_training(POOLED)
    batches = ClipBatches(settings, store, (2, 6, 6), World(0, 1, torch.device("cpu")))
    rows = np.arange(4)
    still = batches.clips(rows)[:, :1].expand(-1, 8, -1, -1, -1)
    varied = batches._augment[0](still.contiguous(), np.zeros(4, int), rows)
    assert torch.allclose(varied, varied[:, :1].expand_as(varied), atol=1e-5)
    assert not torch.allclose(varied, still, atol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["masked", "pooled"])
def test_two_ranks_equal_one_process(step, tmp_path, moving, task):
    """2 gloo ranks of B/2 follow one process of B, float32 noise: loss, and embeddings.
    Weights may differ where their gradient is nothing but noise, as that of key biases is."""
    spec = {**TASKS[task], "steps": 10, "log_every": 1}
    one = trained(step, tmp_path, moving, spec, "one")
    ranks.train(2, json.dumps(spec), moving, tmp_path / "two", tmp_path / "two-runs")

    def losses(folder):
        with (folder / "metrics.csv").open(newline="") as file:
            return [float(row["loss"]) for row in csv.DictReader(file)]

    assert losses(tmp_path / "two") == pytest.approx(losses(one), rel=1e-4)
    clips = open_store(moving).samples(np.arange(32))
    ours, theirs = (load_encoder(f).embed(clips).numpy() for f in (tmp_path / "two", one))
    assert np.allclose(ours, theirs, atol=1e-4) and theirs.std() > 0.01
