"""Training: the same bytes twice, after a kill, after a signal; the same sums on several ranks."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT, TINY

from jepa_steps import load_encoder, train
from jepa_steps.config import parse_training
from jepa_steps.engine.distributed import World
from jepa_steps.engine.loop import STOPPED, Trainer
from jepa_steps.model.export import load_snapshots

REPRODUCIBLE = ("encoder.safetensors", "encoder.json", "snapshots.safetensors", "metrics.csv")


def hashes(folder: Path) -> dict[str, str]:
    return {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in REPRODUCIBLE}


def trained(step, tmp_path, digits, name="a", spec=TINY) -> Path:
    out = tmp_path / name
    arguments = (
        "--spec",
        spec,
        "--data",
        digits,
        "--out",
        out,
        "--checkpoints",
        tmp_path / f"{name}-runs",
    )
    code, _, err = step(train, *arguments)
    assert code == 0, err
    return out


def command(tmp_path, digits, spec, *launcher) -> list[str]:
    arguments = ["--spec", json.dumps(spec), "--data", str(digits)]
    arguments += ["--out", str(tmp_path / "out"), "--checkpoints", str(tmp_path / "runs")]
    return [sys.executable, *launcher, "-m", "jepa_steps.train", *arguments]


def test_same_settings_twice_give_the_same_bytes(step, tmp_path, digits):
    a, b = (trained(step, tmp_path, digits, name) for name in "ab")
    assert hashes(a) == hashes(b)
    c = trained(step, tmp_path, digits, "c", {**TINY, "seed": 1})
    assert hashes(a)["encoder.safetensors"] != hashes(c)["encoder.safetensors"]


def test_loss_falls_and_snapshots_lead_to_the_final_encoder(step, tmp_path, digits, store):
    spec = {**TINY, "steps": 200, "optimizer": {"lr": 0.003}, "log_every": 20}
    spec["objective"] = {"ema_momentum": [0.9, 1.0]}
    out = trained(step, tmp_path, digits, spec=spec)
    rows = (out / "metrics.csv").read_text().splitlines()
    assert len(rows) == 11 and rows[0].startswith("step,epoch,loss,prediction,gradient_norm")
    losses = [float(r.split(",")[2]) for r in rows[1:]]
    assert losses[-1] < 0.7 * losses[0]
    snapshots = load_snapshots(out)
    assert [f for f, _ in snapshots] == [0.0, 0.1, 0.25, 0.5, 0.75]
    images = store.images[:8]
    final = load_encoder(out).embed(images)
    distances = [float((s.embed(images) - final).norm()) for _, s in snapshots]
    assert distances[0] > distances[-1] > 0


def test_loaded_encoder_equals_the_trained_module(step, tmp_path, digits, store):
    out = trained(step, tmp_path, digits)
    encoder = load_encoder(out)
    tokens = encoder.encode(store.images[:5])
    assert tokens.shape == (5, 16, 32) and tokens.dtype == torch.float32
    assert torch.allclose(encoder.embed(store.images[:5]), tokens.mean(1))


def test_rerun_of_a_finished_run_collects_the_same_results(step, tmp_path, digits):
    a = hashes(trained(step, tmp_path, digits))
    assert hashes(trained(step, tmp_path, digits)) == a


@pytest.mark.parametrize("after", [1, 14, 15, 22, 39])
def test_interrupted_at_any_step_and_resumed_gives_the_same_bytes(
    step, tmp_path, digits, monkeypatch, after
):
    whole = hashes(trained(step, tmp_path, digits, "whole"))
    plain = Trainer.train_step

    def dying(self):
        if self.step == after:
            raise KeyboardInterrupt
        plain(self)

    monkeypatch.setattr(Trainer, "train_step", dying)
    with pytest.raises(KeyboardInterrupt):
        trained(step, tmp_path, digits, "killed")
    assert not list((tmp_path / "killed").glob("*"))
    monkeypatch.setattr(Trainer, "train_step", plain)
    assert hashes(trained(step, tmp_path, digits, "killed")) == whole


@pytest.mark.parametrize("left_out", ["model", "optimizer", "step"])
def test_a_checkpoint_without_any_part_would_be_noticed(step, tmp_path, digits, monkeypatch, left_out):
    """Resuming with a part reset must change the result; otherwise the tests above prove nothing."""
    whole = hashes(trained(step, tmp_path, digits, "whole"))
    plain_step, plain_resume = Trainer.train_step, Trainer.resume

    def dying(self):
        if self.step == 20:
            raise KeyboardInterrupt
        plain_step(self)

    def forgetting(self):
        fresh = Trainer(self.settings, self.store_for_test, self.folder, self.world)
        plain_resume(self)
        if left_out == "model":
            self.jepa.load_state_dict(fresh.jepa.state_dict())
        elif left_out == "optimizer":
            self.optimizer.load_state_dict(fresh.optimizer.state_dict())
        else:
            self.step -= 1

    monkeypatch.setattr(Trainer, "train_step", dying)
    with pytest.raises(KeyboardInterrupt):
        trained(step, tmp_path, digits, "killed")
    monkeypatch.setattr(Trainer, "train_step", plain_step)
    from jepa_steps.data.store import open_store

    monkeypatch.setattr(Trainer, "store_for_test", open_store(digits), raising=False)
    monkeypatch.setattr(Trainer, "resume", forgetting)
    assert (
        hashes(trained(step, tmp_path, digits, "killed"))["encoder.safetensors"]
        != whole["encoder.safetensors"]
    )


def test_ranks_draw_the_same_batch_that_one_process_draws(store, tmp_path):
    settings = parse_training(TINY, "test")
    cpu = torch.device("cpu")
    x, context, targets = Trainer(settings, store, tmp_path, World(0, 1, cpu)).batch(3)
    for rank in range(4):
        other = Trainer.__new__(Trainer)
        other.__dict__ |= Trainer(settings, store, tmp_path, World(0, 1, cpu)).__dict__
        other.world = World(rank, 4, cpu)
        epoch, index = other.order.batch(3, 32)
        visible, t = other.masks.visible(3, epoch[rank::4], index[rank::4])
        c = other.masks.context(visible, context.shape[1], 3, epoch[rank::4], index[rank::4])
        assert np.array_equal(t, targets[rank::4]) and np.array_equal(c, context[rank::4])
        assert torch.equal(other.images(index[rank::4]), x[rank::4])


@pytest.mark.slow
def test_sigkill_and_resume_give_the_same_bytes(step, tmp_path, digits):
    spec = {**TINY, "steps": 400, "checkpoint_every": 20}
    whole = hashes(trained(step, tmp_path, digits, "whole", spec))
    killed = 0
    for attempt in range(30):
        process = subprocess.Popen(command(tmp_path, digits, spec), cwd=ROOT, stderr=subprocess.DEVNULL)
        if attempt < 3:
            deadline = time.time() + 60
            while time.time() < deadline and process.poll() is None:
                done = list((tmp_path / "runs").glob(f"*/step-*{20 * (attempt * 4 + 2):05d}.pt"))
                if done:
                    break
                time.sleep(0.01)
            process.kill()
        killed += process.wait() == -signal.SIGKILL
        if process.returncode == 0:
            break
    assert killed >= 1 and hashes(tmp_path / "out") == whole


@pytest.mark.slow
def test_sigterm_writes_a_checkpoint_and_leaves_with_its_own_code(step, tmp_path, digits):
    spec = {**TINY, "steps": 2000, "checkpoint_every": 2000}
    process = subprocess.Popen(
        command(tmp_path, digits, spec), cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    while not list((tmp_path / "runs").glob("*/metrics.csv")):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == STOPPED and "run again to go on" in err
    assert list((tmp_path / "runs").glob("*/step-*.pt"))


def test_a_second_job_on_one_run_folder_is_refused(step, tmp_path, digits, store):
    import fcntl

    folder = tmp_path / "a-runs" / train.run_digest(parse_training(TINY, "t"), store)
    folder.mkdir(parents=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        arguments = (
            "--spec",
            TINY,
            "--data",
            digits,
            "--out",
            tmp_path / "a",
            "--checkpoints",
            tmp_path / "a-runs",
        )
        code, _, err = step(train, *arguments)
    assert code == 2 and "another process is training" in err


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ema_target", "vicreg"])
def test_two_ranks_equal_one_process(step, tmp_path, digits, kind):
    """torchrun with 2 gloo ranks of B/2 follows one process of B: loss and weights, float32 noise."""
    spec = {**TINY, "steps": 10, "log_every": 1, "objective": {"kind": kind}}
    one = trained(step, tmp_path, digits, "one", spec)
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(
        command(tmp_path, digits, spec, *launcher), cwd=ROOT, env=environment, check=True, timeout=120
    )

    def losses(folder):
        return [float(r.split(",")[2]) for r in (folder / "metrics.csv").read_text().splitlines()[1:]]

    assert losses(tmp_path / "out")[0] == pytest.approx(losses(one)[0], rel=1e-6)
    assert losses(tmp_path / "out") == pytest.approx(losses(one), rel=1e-4)
