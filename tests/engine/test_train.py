"""Training: the same bytes twice, after a kill, after a signal; the same sums on several ranks."""

import csv
import hashlib
import json
import math
import shutil
from pathlib import Path

import pytest
import ranks
import torch
from safetensors.torch import load_file
from support import TINY, parse_training

from jepa_steps import load_encoder, train
from jepa_steps.engine.distributed import World
from jepa_steps.engine.lease import lease
from jepa_steps.engine.loop import Trainer
from jepa_steps.errors import InputError
from jepa_steps.modalities.images.batches import Batches
from jepa_steps.modalities.images.store import open_store
from jepa_steps.model.export import load_snapshots

REPRODUCIBLE = ("encoder.safetensors", "encoder.json", "snapshots.safetensors", "best.safetensors")
REPRODUCIBLE += ("metrics.csv", "validation.csv")


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


def forget(trainer: Trainer, part: str, fresh: Trainer) -> None:
    """Put one part of a resumed trainer back to where a fresh one begins."""
    if part == "model":
        trainer.jepa.load_state_dict(fresh.jepa.state_dict())
    elif part == "target_encoder":
        trainer.jepa.target_encoder.load_state_dict(fresh.jepa.target_encoder.state_dict())
    elif part == "optimizers":
        trainer.optimizers[0].load_state_dict(fresh.optimizers[0].state_dict())
    elif part == "step":
        trainer.step -= 1
    elif part == "best":
        trainer.validation.best = {}
    else:
        setattr(trainer, part, getattr(fresh, part))


@pytest.mark.slow
def test_a_checkpoint_without_any_part_would_be_noticed(step, tmp_path, digits, monkeypatch):
    """Resuming with a part reset must change the result; otherwise the tests above prove nothing."""
    spec = {**TINY, "validate_every": 5}
    plain_gradient, plain_step, plain_resume = Trainer.gradient, Trainer.train_step, Trainer.resume

    def with_a_bad_batch(self, batch):
        loss, parts = plain_gradient(self, batch)
        return (loss * torch.nan, parts) if self.step == 10 and not self.guard.skipped else (loss, parts)

    monkeypatch.setattr(Trainer, "gradient", with_a_bad_batch)
    whole = hashes(trained(step, tmp_path, digits, "whole", spec))

    def dying(self):
        if self.step == 20:
            raise KeyboardInterrupt
        plain_step(self)

    monkeypatch.setattr(Trainer, "train_step", dying)
    with pytest.raises(KeyboardInterrupt):
        trained(step, tmp_path, digits, "killed", spec)
    monkeypatch.setattr(Trainer, "train_step", plain_step)
    parts = ("model", "target_encoder", "optimizers", "step", "guard", "means", "watch", "best")
    for part in (None, *parts):

        def resume(self, part=part):
            fresh = Trainer(self.settings, open_store(digits), self.folder, self.world)
            plain_resume(self)
            if part:
                forget(self, part, fresh)

        monkeypatch.setattr(Trainer, "resume", resume)
        shutil.copytree(tmp_path / "killed-runs", tmp_path / f"{part}-runs")
        resumed = hashes(trained(step, tmp_path, digits, f"{part}", spec))
        assert (resumed == whole) == (part is None), part


def test_the_loss_scale_of_fp16_is_resumed(store, tmp_path):
    settings = parse_training({**TINY, "precision": "fp16"}, "test")
    world = World(0, 1, torch.device("cpu"))
    trainer = Trainer(settings, store, tmp_path, world)
    trainer.train_step()
    trainer.precision.scaler.update(1024.0)
    trainer.save()
    resumed = Trainer(settings, store, tmp_path, world)
    resumed.resume()
    assert resumed.precision.scaler.get_scale() == 1024.0 and resumed.step == 1


def poisoned(monkeypatch, bad):
    """Make the gradient of the batches ``bad`` NaN."""
    plain = Trainer.gradient

    def gradient(self, batch):
        loss, parts = plain(self, batch)
        if self.step + self.guard.skipped in bad:
            self.parameters[0].grad[0] = torch.nan
        return loss, parts

    monkeypatch.setattr(Trainer, "gradient", gradient)


def test_a_batch_without_finite_gradient_is_passed_over_and_counted(step, tmp_path, digits, monkeypatch):
    poisoned(monkeypatch, {4, 5, 17})
    out = trained(step, tmp_path, digits)
    last = (out / "metrics.csv").read_text().splitlines()
    row = dict(zip(last[0].split(","), last[-1].split(","), strict=True))
    assert row["step"] == "40" and row["skipped"] == "3"
    assert float(row["lr"]) == pytest.approx(1e-5)  # schedules moved with the 40 steps made
    assert json.loads((out / "summary.json").read_text())["skipped"] == 3
    weights = load_encoder(out).module.state_dict().values()
    assert all(torch.isfinite(w).all() for w in weights)


def test_too_many_bad_batches_in_a_row_stop_training_and_are_listed(step, tmp_path, digits, monkeypatch):
    poisoned(monkeypatch, set(range(7, 100)))
    arguments = ("--data", digits, "--out", tmp_path / "a", "--checkpoints", tmp_path / "runs")
    code, _, err = step(train, "--spec", {**TINY, "skip_limit": 5}, *arguments)
    assert code == 2 and "5 steps in a row before step 8" in err and err.count("\n") == 1
    (listed,) = (tmp_path / "runs").glob("*/bad-batches.json")
    batches = json.loads(listed.read_text())
    assert len(batches) == 5 and len(batches[0]["samples"]) == 32 and not (tmp_path / "a").exists()


def test_a_loss_that_explodes_stops_training(step, tmp_path, digits):
    spec = {**TINY, "log_every": 2, "objective": {"kind": "vicreg"}, "diverged": 1.0001}
    spec["optimizer"] = {"kind": "sgd", "lr": 1.0, "warmup": 0.5, "clip_norm": 1000.0}
    arguments = ("--data", digits, "--out", tmp_path / "a", "--checkpoints", tmp_path / "runs")
    code, _, err = step(train, "--spec", spec, *arguments)
    assert code == 2 and "diverged" in err and err.count("\n") == 1


def test_running_out_of_memory_names_the_settings_to_change(step, tmp_path, digits, monkeypatch):
    def full(self, batch):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(Trainer, "gradient", full)
    arguments = ("--data", digits, "--out", tmp_path / "a", "--checkpoints", tmp_path / "runs")
    code, _, err = step(train, "--spec", TINY, *arguments)
    assert code == 2 and "batch_size 32" in err and "accumulate: 2" in err and err.count("\n") == 1


@pytest.mark.parametrize("select", ["last", "rank", "knn", "loss"])
def test_the_chosen_encoder_is_exported(step, tmp_path, digits, select):
    spec = {**TINY, "validate_every": 10, "select": select}
    out = trained(step, tmp_path, digits, spec=spec)
    best = json.loads((out / "summary.json").read_text())["best"]
    rows = [r.split(",") for r in (out / "validation.csv").read_text().splitlines()]
    table = [dict(zip(rows[0], r, strict=True)) for r in rows[1:]]
    assert [r["step"] for r in table] == ["10", "20", "30", "40"]
    column, better = {"rank": ("effective_rank", max), "knn": ("knn", max), "loss": ("val_loss", min)}[
        "loss" if select == "last" else select
    ]
    values = [float(r[column]) for r in table]
    chosen = best["loss" if select == "last" else select]
    assert chosen == {"step": 10 * (1 + values.index(better(values))), "value": better(values)}
    exported, bests = load_file(out / "encoder.safetensors"), load_file(out / "best.safetensors")
    if select != "last":
        assert all(torch.equal(t, bests[f"{select}/{n}"]) for n, t in exported.items())


def test_collapsed_encoders_are_never_the_best(store, tmp_path):
    settings = parse_training(TINY, "test")
    trainer = Trainer(settings, store, tmp_path, World(0, 1, torch.device("cpu")))
    with torch.no_grad():
        trainer.jepa.exported().transformer.norm.weight.zero_()
    row = trainer.validation(10)
    assert row["relative_spread"] < 0.02 and trainer.validation.best == {}


def test_a_validation_takes_ten_training_samples_a_dimension_where_there_are_so_many(store, tmp_path):
    def rows(**spec):
        settings = parse_training({**TINY, **spec}, "test")
        validation = Trainer(settings, store, tmp_path, World(0, 1, torch.device("cpu"))).validation
        return {part: len(r) for part, r in validation._rows.items()}

    assert rows(validation_samples=50) == {"train": 320, "val": 50}
    assert rows(validation_samples=500) == {"train": 500, "val": len(store.rows("val"))}
    assert rows()["train"] == len(store.rows("train")) < 2048


def test_too_few_samples_for_a_rank_are_said_and_choose_nothing(store, tmp_path, capsys):
    wide = {**TINY, "model": {**TINY["model"], "dim": 320, "depth": 1}}
    trainer = Trainer(parse_training(wide, "test"), store, tmp_path, World(0, 1, torch.device("cpu")))
    said = capsys.readouterr().err
    assert said.startswith("no effective rank in validation.csv: 1259 rows of 320 dimensions")
    row = trainer.validation(10)
    assert math.isnan(row["effective_rank"]) and math.isnan(row["rank_share"])
    assert row["relative_spread"] > 0
    assert set(trainer.validation.best) == {"knn", "loss"}
    by_rank = parse_training({**wide, "select": "rank"}, "test")
    with pytest.raises(InputError, match=r"found 'rank', but 1259 rows of 320 dim.*1280 are needed"):
        Trainer(by_rank, store, tmp_path, World(0, 1, torch.device("cpu")))


def test_ranks_draw_the_same_batch_that_one_process_draws(store, tmp_path):
    spec = {**TINY, "augment": {"crop_scale": [0.5, 1.0], "flip": 0.5}}
    settings, cpu = parse_training(spec, "test"), torch.device("cpu")
    x, context, targets = Batches(settings, store, (4, 4), World(0, 1, cpu))(3, 2, (0.15, 0.2))

    class Member(World):
        def smallest(self, value):
            return context.shape[1]

    for size in (2, 4):
        for rank in range(size):
            batch = Batches(settings, store, (4, 4), Member(rank, size, cpu))(3, 2, (0.15, 0.2))
            for ours, whole in zip(batch, (x, context, targets), strict=True):
                assert torch.equal(ours, whole[rank::size])


def test_a_second_job_on_one_run_folder_is_refused(step, tmp_path, digits, store):
    folder = tmp_path / "a-runs" / train.run_digest(parse_training(TINY, "t"), store)
    folder.mkdir(parents=True)
    arguments = ("--spec", TINY, "--data", digits, "--out", tmp_path / "a")
    with lease(folder):
        code, _, err = step(train, *arguments, "--checkpoints", tmp_path / "a-runs")
    assert code == 2 and "another process is training" in err


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"objective": {"kind": "vicreg"}},
        {"objective": {"kind": "vicreg"}, "accumulate": 2, "recompute": True},
        {"shard": True},
        {"shard": True, "objective": {"kind": "ema_target+vicreg"}, "accumulate": 2},
    ],
    ids=["ema_target", "vicreg", "vicreg in pieces", "sharded", "sharded, both, in pieces"],
)
def test_two_ranks_equal_one_process(step, tmp_path, digits, changes):
    """2 gloo ranks of B/2 follow one process of B: loss and weights, float32 noise."""
    spec = {**TINY, "steps": 10, "log_every": 1, "watch_every": 1, "validate_every": 5, **changes}
    one = trained(step, tmp_path, digits, "one", {**spec, "shard": False})
    ranks.train(2, json.dumps(spec), digits, tmp_path / "out", tmp_path / "runs")

    def column(folder, table, name):
        with (folder / table).open(newline="") as file:
            return [float(row[name]) for row in csv.DictReader(file)]

    two = tmp_path / "out"
    loss = column(one, "metrics.csv", "loss")
    assert column(two, "metrics.csv", "loss")[0] == pytest.approx(loss[0], rel=1e-6)
    for table, names in (
        ("metrics.csv", ("loss", "watched", "relative_spread", "position_share")),
        ("validation.csv", ("val_loss", "effective_rank")),
    ):
        for name in names:
            wanted = pytest.approx(column(one, table, name), rel=1e-4, nan_ok=True)
            assert column(two, table, name) == wanted, name
    ours, theirs = (load_file(folder / "encoder.safetensors") for folder in (two, one))
    for name, tensor in theirs.items():
        assert torch.allclose(ours[name], tensor, atol=1e-4), name


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
def test_compiled_blocks_follow_the_plain_ones(step, tmp_path, digits):
    spec = {**TINY, "steps": 10, "log_every": 5, "threads": 1}
    plain = trained(step, tmp_path, digits, "plain", spec)
    compiled = trained(step, tmp_path, digits, "compiled", {**spec, "compile": True})
    ours, theirs = (load_file(f / "encoder.safetensors") for f in (compiled, plain))
    assert ours.keys() == theirs.keys()
    # Context and target lengths vary, with and without gradients: 8 variants were just not too many.
    assert torch._dynamo.config.recompile_limit >= 64
    assert all(torch.allclose(ours[n], theirs[n], atol=1e-4) for n in theirs)


@pytest.mark.slow
def test_a_sharded_run_resumes_to_the_same_bytes(tmp_path, digits):
    spec = {**TINY, "steps": 12, "checkpoint_every": 5, "log_every": 4, "shard": True}

    def run() -> dict[str, str]:
        ranks.train(2, json.dumps(spec), digits, tmp_path / "out", tmp_path / "runs")
        return hashes(tmp_path / "out")

    whole = run()
    shutil.rmtree(tmp_path / "out")
    newest = sorted((tmp_path / "runs").glob("*/*12*"))
    assert newest, sorted((tmp_path / "runs").glob("*/*"))
    for path in newest:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for summary in (tmp_path / "runs").glob("*/summary.json"):
        summary.unlink()
    assert run() == whole
    (summary,) = (tmp_path / "out").glob("summary.json")
    assert json.loads(summary.read_text())["this_run"]["resumed_at_step"] == 10
