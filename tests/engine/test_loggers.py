"""Loggers get the rows of metrics.csv, each once, and never stop a training."""

import json
import os
import struct
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pandas as pd
import pytest
from support import ROOT, TINY

from jepa_steps import train
from jepa_steps.config import resolved
from jepa_steps.config.training import parse_training
from jepa_steps.engine import loggers
from jepa_steps.engine.loop import Trainer
from jepa_steps.errors import InputError

BOTH = ("--loggers", "wandb,mlflow")
ROWS = {"metrics": 4, "timing": 4, "validation": 1}  # of the 40 steps of TINY


class Sent:
    """What the two fake libraries were told: starts, (name, step) -> values, ends."""

    def __init__(self):
        self.starts, self.rows, self.ends, self.params, self.fails_at = [], [], 0, {}, None

    def log(self, values, step):
        if self.fails_at == step:
            raise ConnectionError("no route to host\nand much more")
        self.rows.append((step, values))

    def end(self):
        self.ends += 1


def library(name, **attributes) -> ModuleType:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None, origin="fake")
    vars(module).update(attributes)
    return module


@pytest.fixture
def fakes(monkeypatch) -> dict[str, Sent]:
    sent = {name: Sent() for name in loggers.LOGGERS}

    def init(**arguments):
        sent["wandb"].starts.append(arguments)
        fake = sent["wandb"]
        step = max((step for step, _ in fake.rows), default=-1) + 1
        return SimpleNamespace(id=arguments["id"] or "w1", log=fake.log, finish=fake.end, step=step)

    def start_run(run_id, run_name):
        sent["mlflow"].starts.append({"id": run_id, "name": run_name})
        metrics = {name: value for _, values in sent["mlflow"].rows for name, value in values.items()}
        data = SimpleNamespace(metrics=metrics)
        return SimpleNamespace(info=SimpleNamespace(run_id=run_id or "m1"), data=data)

    def history(run_id, key):
        return [SimpleNamespace(step=step) for step, values in sent["mlflow"].rows if key in values]

    wandb = library("wandb", init=init, Settings=lambda **settings: settings)
    mlflow = library(
        "mlflow",
        start_run=start_run,
        log_metrics=lambda values, step: sent["mlflow"].log(values, step),
        log_params=sent["mlflow"].params.update,
        end_run=sent["mlflow"].end,
        MlflowClient=lambda: SimpleNamespace(get_metric_history=history),
    )
    for module in (wandb, mlflow):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return sent


def arguments(tmp_path, digits, *more) -> list:
    places = ["--data", digits, "--out", tmp_path / "mine", "--checkpoints", tmp_path / "runs"]
    return ["--spec", TINY, *places, *more]


def counted(rows: list[tuple[int, dict]]) -> dict[str, int]:
    """Rows by table; every step of a table stands there once."""
    places = [(next(iter(values)).split("/")[0], step) for step, values in rows]
    assert len(places) == len(set(places))
    names = [table for table, _ in places]
    return {name: names.count(name) for name in sorted(set(names))}


def test_both_get_the_rows_of_the_tables_and_the_settings(step, tmp_path, digits, fakes):
    code, _, err = step(train, *arguments(tmp_path, digits, *BOTH))
    assert code == 0, err
    metrics = pd.read_csv(tmp_path / "mine" / "metrics.csv", float_precision="round_trip")
    for sent in fakes.values():
        assert counted(sent.rows) == ROWS and sent.ends == 1
        losses = {s: v["metrics/loss"] for s, v in sent.rows if "metrics/loss" in v}
        assert losses == dict(zip(metrics.step, metrics.loss, strict=True))
        (start,) = sent.starts
        assert start["name"] == "mine" and start["id"] is None
    settings = resolved(parse_training(TINY, "test", "images"))
    assert fakes["wandb"].starts[0]["config"] == settings
    params = fakes["mlflow"].params
    assert params["optimizer.lr"] == 0.001 and params["steps"] == 40 and params["model.dim"] == 32


def test_a_run_that_is_resumed_goes_on_and_sends_no_row_twice(
    step, tmp_path, digits, fakes, monkeypatch
):
    plain = Trainer.train_step

    def dying(self):
        if self.step == 22:  # rows of step 20 were sent, the checkpoint is of step 15
            raise KeyboardInterrupt
        plain(self)

    monkeypatch.setattr(Trainer, "train_step", dying)
    with pytest.raises(KeyboardInterrupt):
        step(train, *arguments(tmp_path, digits, *BOTH))
    monkeypatch.setattr(Trainer, "train_step", plain)
    code, _, err = step(train, *arguments(tmp_path, digits, *BOTH))
    assert code == 0, err
    for name, run in (("wandb", "w1"), ("mlflow", "m1")):
        assert [start["id"] for start in fakes[name].starts] == [None, run]
        assert counted(fakes[name].rows) == ROWS
    code, _, _ = step(train, *arguments(tmp_path, digits, *BOTH))  # finished: nothing is opened again
    assert code == 0 and all(len(sent.starts) == 2 for sent in fakes.values())


def test_a_logger_that_is_new_to_a_resumed_run_is_given_what_was_before(
    step, tmp_path, digits, fakes, monkeypatch
):
    plain = Trainer.train_step

    def dying(self):
        if self.step == 35:
            raise KeyboardInterrupt
        plain(self)

    monkeypatch.setattr(Trainer, "train_step", dying)
    with pytest.raises(KeyboardInterrupt):
        step(train, *arguments(tmp_path, digits))
    monkeypatch.setattr(Trainer, "train_step", plain)
    assert step(train, *arguments(tmp_path, digits, *BOTH))[0] == 0
    for sent in fakes.values():
        assert counted(sent.rows) == ROWS
        assert [s for s, _ in sent.rows] == sorted(s for s, _ in sent.rows)


def test_a_logger_that_fails_is_dropped_with_one_line(step, tmp_path, digits, fakes):
    fakes["wandb"].fails_at = 20
    code, out, err = step(train, *arguments(tmp_path, digits, *BOTH))
    assert code == 0, err
    (line,) = [line for line in (out + err).splitlines() if line.startswith("wandb: ")]
    assert line == "wandb: no route to host; training goes on without this logger"
    assert counted(fakes["mlflow"].rows) == ROWS and max(s for s, _ in fakes["wandb"].rows) == 10


def test_a_logger_that_cannot_begin_is_dropped_with_one_line(step, tmp_path, digits, fakes, monkeypatch):
    def refused(**_):
        raise ConnectionError

    monkeypatch.setattr(sys.modules["wandb"], "init", refused)
    code, out, _ = step(train, *arguments(tmp_path, digits, *BOTH))
    assert code == 0 and "wandb: ConnectionError; training goes on without this logger" in out
    assert counted(fakes["mlflow"].rows) == ROWS
    monkeypatch.undo()


def test_nothing_is_opened_that_was_not_asked_for(step, tmp_path, digits, fakes):
    assert step(train, *arguments(tmp_path, digits))[0] == 0
    assert all(not sent.starts and not sent.rows for sent in fakes.values())
    assert not list(tmp_path.glob("runs/*/loggers.json"))


def test_only_the_first_rank_opens_a_logger(tmp_path, digits, store, fakes):
    from dataclasses import replace

    import torch

    from jepa_steps.engine.distributed import World

    settings = parse_training(TINY, "test", "images")
    trainer = Trainer(settings, store, tmp_path, World(0, 1, torch.device("cpu")))
    trainer.world = replace(trainer.world, rank=1)
    trainer.run(loggers.Loggers(("wandb", "mlflow"), tmp_path, "mine", {}))
    assert all(not sent.starts and not sent.rows for sent in fakes.values())


@pytest.mark.parametrize("folder", [False, True])
def test_a_missing_library_stops_before_training_and_names_the_extra(
    step, tmp_path, digits, monkeypatch, folder
):
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    for name in list(sys.modules):
        if name.split(".")[0] == "wandb":
            monkeypatch.delitem(sys.modules, name)
    if folder:  # as W&B leaves it where it once ran
        (tmp_path / "wandb" / "run").mkdir(parents=True)
    code, out, err = step(train, *arguments(tmp_path, digits, "--loggers", "wandb"))
    assert (code, out) == (2, "") and not (tmp_path / "runs").exists()
    assert err == "error: --loggers: wandb is not installed; pip install 'jepa-steps[wandb]'\n"


def test_an_unknown_logger_is_one_line():
    with pytest.raises(
        InputError, match=r"^--loggers: found 'neptune', expected some of wandb, mlflow$"
    ):
        loggers.chosen("neptune")
    assert loggers.chosen("") == ()


DYING = """
import os, signal, sys
from jepa_steps import train
from jepa_steps.engine.loop import Trainer
plain = Trainer.train_step
def dying(self):
    if self.step == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    plain(self)
Trainer.train_step = dying
train.main(sys.argv[2:])
"""


def killed_and_resumed(tmp_path, digits, name: str, **environment: str) -> None:
    """Train with the real library: once until it is killed past step 20, then to the end."""
    given = arguments(tmp_path, digits, "--loggers", name)
    given = [json.dumps(a) if isinstance(a, dict) else str(a) for a in given]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    for dies_at, code in (("22", -9), ("-1", 0)):
        command = [sys.executable, "-c", DYING, dies_at, *given]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == code and "training goes on without" not in done.stdout, done


@pytest.mark.slow
def test_real_wandb_offline(tmp_path, digits):
    pytest.importorskip("wandb", reason="wandb is not installed: pip install 'jepa-steps[wandb]'")
    killed_and_resumed(tmp_path, digits, "wandb", WANDB_MODE="offline")
    found = sorted(tmp_path.glob("runs/*/wandb/offline-run-*"))
    (state,) = tmp_path.glob("runs/*/loggers.json")
    run = json.loads(state.read_text())["wandb"]
    assert len(found) == 2 and all(run in folder.name for folder in found)
    rows = wandb_rows(found[-1] / f"run-{run}.wandb")  # the newest has it all
    losses = [(int(row["_step"]), float(row["metrics/loss"])) for row in rows]
    assert "validation/val_loss" in rows[-1] and all("timing/mfu" in row for row in rows)
    metrics = pd.read_csv(tmp_path / "mine" / "metrics.csv", float_precision="round_trip")
    assert losses == list(zip(metrics.step, metrics.loss, strict=True))


def wandb_rows(path: Path) -> list[dict[str, str]]:
    """History of an offline run. Its file is a head of 7 bytes and blocks of 32 KiB of pieces: checksum,
    length, kind (1 whole, 4 last), bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, record, rows = path.read_bytes(), 7, b"", []
    while at + 7 <= len(data):
        if (left := 2**15 - at % 2**15) < 7:
            at += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            items = Record.FromString(record).history.item
            rows += [{"/".join(i.nested_key): i.value_json for i in items}] if items else []
            record = b""
    return rows


@pytest.mark.slow
def test_real_mlflow_in_a_database(tmp_path, digits):
    mlflow = pytest.importorskip("mlflow", reason="mlflow is missing: pip install 'jepa-steps[mlflow]'")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    killed_and_resumed(tmp_path, digits, "mlflow", MLFLOW_TRACKING_URI=uri)
    client = mlflow.MlflowClient(tracking_uri=uri)
    (run,) = client.search_runs(["0"])
    assert (run.info.run_name, run.info.status) == ("mine", "FINISHED")
    assert run.data.params["optimizer.lr"] == "0.001"
    history = client.get_metric_history(run.info.run_id, "metrics/loss")
    metrics = pd.read_csv(tmp_path / "mine" / "metrics.csv", float_precision="round_trip")
    assert [(m.step, m.value) for m in history] == list(zip(metrics.step, metrics.loss, strict=True))
