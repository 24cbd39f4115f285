"""Statistics in training: equal to those of the same embeddings offline, whatever the precision."""

import csv

import numpy as np
import pytest
import torch
from support import TINY, parse_training

from jepa_steps import train
from jepa_steps.engine.distributed import World
from jepa_steps.engine.loop import Trainer
from jepa_steps.engine.verdicts import Verdicts
from jepa_steps.engine.watch import Watch, columns
from jepa_steps.errors import HopelessRun
from jepa_steps.metrics import spectrum
from jepa_steps.metrics.embedding import moment_statistics, token_statistics
from jepa_steps.metrics.moments import moments, token_moments
from jepa_steps.metrics.remedies import GENERAL

CPU = World(0, 1, torch.device("cpu"))


def test_batches_add_up_to_the_whole():
    tokens = torch.randn(300, 6, 8) + torch.arange(6)[:, None]
    watch = Watch()
    for batch in tokens.split(100):
        watch.add(batch)
        watch.settle(True)
    taken = watch.take(CPU)
    whole = tokens.double().numpy()
    pooled = moments(whole.mean(1))
    wanted = {
        "pooled": moment_statistics(pooled),
        "tokens": token_statistics(token_moments(whole)),
        "ranks": spectrum.summary(pooled),
    }
    assert taken["pooled"] == pytest.approx(wanted["pooled"], rel=1e-9)
    assert taken["tokens"] == pytest.approx(wanted["tokens"], rel=1e-9)
    assert columns(taken)["effective_rank"] == pytest.approx(spectrum.effective_rank(
        spectrum.singular_values(pooled)), rel=1e-9)  # fmt: skip
    assert watch.take(CPU) == {}


def test_position_centred_moments_equal_those_of_centred_tokens():
    tokens = np.random.default_rng(0).normal(size=(200, 5, 4)) + 3 * np.arange(20).reshape(5, 4)
    centred = (tokens - tokens.mean(0)).reshape(-1, 4)
    assert np.allclose(token_moments(tokens).position_centred.scatter, moments(centred).scatter)


def test_a_rank_ten_collapse_keeps_its_rank_under_bf16_autocast():
    tokens = torch.randn(2000, 1, 10) @ torch.randn(10, 64)
    watch = Watch()
    with torch.autocast("cpu", torch.bfloat16):
        watch.add(tokens)
        watch.settle(True)
    assert columns(watch.take(CPU))["effective_rank"] < 10.01


def test_a_passed_over_batch_leaves_no_trace():
    watch, tokens = Watch(), torch.randn(50, 4, 8)
    watch.add(tokens)
    watch.settle(True)
    watch.add(tokens * torch.nan)
    watch.settle(False)
    assert columns(watch.take(CPU))["watched"] == 50


def test_few_samples_give_no_rank():
    watch = Watch()
    watch.add(torch.randn(31, 4, 8))
    watch.settle(True)
    assert np.isnan(columns(watch.take(CPU))["effective_rank"])


@pytest.mark.parametrize("accumulate", [1, 4])
@pytest.mark.parametrize(
    "objective",
    [{}, {"kind": "vicreg"}, {"kind": "vicreg", "level": "pooled"}],
    ids=["ema", "vicreg", "pooled"],
)
def test_each_watched_batch_is_seen_once(store, tmp_path, objective, accumulate):
    spec = {**TINY, "objective": objective, "accumulate": accumulate, "watch_every": 2}
    trainer = Trainer(parse_training(spec, "test"), store, tmp_path, CPU)
    for _ in range(5):  # steps 0, 2 and 4 are watched
        trainer.train_step()
    taken = trainer.watch.take(CPU)
    assert taken["pooled"]["n"] == 3 * TINY["batch_size"]
    assert taken["tokens"]["n"] == 3 * TINY["batch_size"] * 16
    assert 0 < taken["tokens"]["position_share"] < 1


COLLAPSING = {
    "objective": {"kind": "vicreg", "level": "pooled", "variance": 0.0, "covariance": 0.0},
    "optimizer": {"lr": 0.01},
    "steps": 400,
    "watch_every": 1,
}


def test_a_hopeless_run_ends_early_with_its_own_exit_code_and_a_remedy(step, tmp_path, digits):
    spec = {**TINY, **COLLAPSING, "stop_on": ["collapse"]}
    arguments = ("--data", digits, "--out", tmp_path / "out", "--checkpoints", tmp_path / "runs")
    for _ in range(2):  # the second run resumes, and comes to the same end
        code, _, err = step(train, "--spec", spec, *arguments)
        assert code == 76
        last = err.splitlines()[-1]
        assert last.startswith("stopped: collapse in 3 log rows up to step ") and "variance" in last
        assert int(last.split(" up to step ")[1].split(":")[0]) < 400
    assert not (tmp_path / "out").exists()


def test_without_stop_on_a_collapsed_run_goes_to_its_end(step, tmp_path, digits):
    arguments = ("--data", digits, "--out", tmp_path / "out", "--checkpoints", tmp_path / "runs")
    assert step(train, "--spec", {**TINY, **COLLAPSING, "steps": 100}, *arguments)[0] == 0


def test_a_sound_run_is_not_stopped(step, tmp_path, digits):
    every = ["collapse", "positional collapse", "dimensional collapse", "rank-k collapse"]
    arguments = ("--data", digits, "--out", tmp_path / "out", "--checkpoints", tmp_path / "runs")
    spec = {**TINY, "steps": 150, "watch_every": 1, "stop_on": every}
    assert step(train, "--spec", spec, *arguments)[0] == 0


def test_a_verdict_must_last_and_its_count_survives_a_checkpoint():
    spec = {**TINY, "steps": 100, "stop_on": ["collapse"]}
    settings = parse_training(spec, "test")
    watch, flat, sound = Watch(), 5 + 0.001 * torch.randn(64, 4, 8), torch.randn(64, 4, 8)

    def seen(tokens):
        watch.add(tokens)
        watch.settle(True)
        return watch.take(CPU)

    verdicts = Verdicts(settings, GENERAL)
    verdicts.judge(5, seen(flat))  # too early to judge
    for tokens in (flat, flat, sound, flat, flat):
        verdicts.judge(50, seen(tokens))
    resumed = Verdicts(settings, GENERAL)
    resumed.rows = verdicts.rows
    with pytest.raises(HopelessRun, match="collapse in 3 log rows"):
        resumed.judge(60, seen(flat))


def test_log_rows_without_a_look_keep_the_columns_of_the_others(step, tmp_path, digits):
    spec = {**TINY, "log_every": 2, "watch_every": 7}
    arguments = ("--data", digits, "--out", tmp_path / "out", "--checkpoints", tmp_path / "runs")
    assert step(train, "--spec", spec, *arguments)[0] == 0
    with (tmp_path / "out" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20 and all(None not in row and None not in row.values() for row in rows)
    assert {float(row["watched"]) for row in rows} == {0.0, float(TINY["batch_size"])}
    assert all(0 < float(row["ema_momentum"]) <= 1 for row in rows)
    assert [np.isnan(float(row["position_share"])) for row in rows] == [
        r["watched"] == "0" for r in rows
    ]
