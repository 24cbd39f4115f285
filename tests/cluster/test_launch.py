"""What a run on a cluster rests on, without a cluster: commands, places, lease, restarts, signals."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
import torch
import yaml
from support import ROOT, TINY

from jepa_steps import cards, launch, train
from jepa_steps.engine import distributed, lease, signals
from jepa_steps.engine.distributed import World
from jepa_steps.engine.record import Means
from jepa_steps.engine.starts import FRUITLESS, RESTARTS, Starts
from jepa_steps.engine.watch import Watch
from jepa_steps.errors import HopelessRun, InputError

CPU = torch.device("cpu")


def test_no_setting_stands_in_two_profiles():
    default, slurm = (
        yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text())
        for name in ("default", "slurm")
    )
    assert slurm["executor"] == "slurm" and not default.keys() & slurm.keys()


def test_no_rule_retries_by_itself():
    assert "retries:" not in "".join(p.read_text() for p in (ROOT / "workflow/rules").glob("*.smk"))


def executed(monkeypatch, *arguments: str) -> tuple[list[str], dict[str, str]]:
    done = []
    monkeypatch.setattr(os, "execvpe", lambda *call: done.append(call[1:]))
    launch.main([*arguments, "--", "--spec", "{}"])
    return done[0]


def test_srun_is_told_every_number(monkeypatch):
    answers = {"squeue": "gpu[07,11]", "scontrol": "gpu07\ngpu11"}
    monkeypatch.setattr(launch, "_said", lambda *command: answers[command[0]])
    monkeypatch.setenv("SLURM_JOB_ID", "25001")
    command, env = executed(monkeypatch, "--nodes", "2", "--gpus", "4", "--cpus", "8")
    expected = ["--nodes=2", "--ntasks=8", "--ntasks-per-node=4", "--cpus-per-task=8", "--gres=gpu:4"]
    assert command[0] == "srun" and {*expected, "--kill-on-bad-exit=1"} <= set(command)
    assert command[command.index("-u") - 1] == sys.executable and command[-2:] == ["--spec", "{}"]
    assert (env["MASTER_ADDR"], env["MASTER_PORT"]) == ("gpu07", "21001")
    assert env["JEPA_STEPS_GPUS"] == "4" and env["PYTORCH_ALLOC_CONF"] == "expandable_segments:True"


def test_one_process_of_a_job_meets_nobody(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    command, env = executed(monkeypatch)
    assert command[:3] == ["srun", "--nodes=1", "--ntasks=1"] and "MASTER_ADDR" not in env
    assert not any(part.startswith("--gres") for part in command)


@pytest.mark.parametrize(("gpus", "processes"), [(0, 1), (1, 1), (2, 2), (8, 4)])
def test_outside_a_job_as_many_processes_as_gpus_at_most_those_asked_for(
    monkeypatch, tmp_path, gpus, processes
):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(gpus))))
    monkeypatch.setenv("JEPA_STEPS_ON_CPU", "1")
    command, env = executed(monkeypatch, "--nodes", "2", "--gpus", "2")
    count = command[command.index("--nproc-per-node") + 1] if "--standalone" in command else "1"
    assert count == str(processes)
    assert len(env["CUDA_VISIBLE_DEVICES"].split(",")) == max(1, min(4, gpus))


def test_trainings_of_one_machine_share_no_card(monkeypatch, tmp_path, capsys):
    """Locks of one process exclude each other as those of several do: each open file is one."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(cards, "BETWEEN", 0.01)
    four = ["0", "1", "2", "3"]
    assert cards.take(four, 1, wait=True) == ["0"]
    assert cards.take(four, 2, wait=True) == ["1", "2"]
    assert cards.take(four, 2, wait=False) == []
    assert cards.take(four, 1, wait=False) == ["3"]
    waiting = threading.Thread(target=lambda: cards.take(four, 1, wait=True), daemon=True)
    waiting.start()
    time.sleep(0.2)
    assert waiting.is_alive()
    assert "0 of 4 GPUs are free, 1 requested" in capsys.readouterr().out


def test_a_card_is_free_again_when_its_process_has_ended(tmp_path):
    code = "from jepa_steps import cards; print(cards.take(['0'], 1, wait=False))"
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert done.stdout == "['0']\n", done.stderr


def test_a_card_stays_held_by_what_the_process_becomes(tmp_path):
    code = (
        "import os, sys; from jepa_steps import cards; cards.take(['0'], 1, wait=False); "
        "os.execv(sys.executable, [sys.executable, '-c', 'print(1, flush=True); input()'])"
    )
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], env=env, text=True, **pipes) as process:
        assert process.stdout.readline() == "1\n"
        look = "from jepa_steps import cards; print(cards.take(['0'], 1, wait=False))"
        done = subprocess.run([sys.executable, "-c", look], env=env, capture_output=True, text=True)
        process.communicate("")
    assert done.stdout == "[]\n"


def test_gpus_asked_for_that_cannot_be_used_are_an_error(monkeypatch, capsys):
    with pytest.raises(InputError, match=r"resources.gpus: 2 requested, but torch .* can use none"):
        distributed.usable_gpu(2)
    monkeypatch.setenv(distributed.ON_CPU, "1")
    assert not distributed.usable_gpu(2)
    assert "training on the CPU, as JEPA_STEPS_ON_CPU=1 says" in capsys.readouterr().out
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv(distributed.ON_CPU)
    with pytest.raises(InputError, match="CUDA_VISIBLE_DEVICES hides them"):
        distributed.usable_gpu(2)


def test_launch_stops_before_several_processes_find_no_gpu(monkeypatch, tmp_path):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.delenv(distributed.ON_CPU, raising=False)
    with pytest.raises(InputError, match="2 requested, but torch"):
        executed(monkeypatch, "--gpus", "2")
    with pytest.raises(InputError, match="--nodes 1 --gpus -1: expected"):
        executed(monkeypatch, "--gpus", "-1")


def test_an_unused_gpu_of_apple_is_named(monkeypatch, capsys):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert not distributed.usable_gpu(0)
    assert "Apple's GPU is not used" in capsys.readouterr().out


def test_without_proc_a_lease_knows_living_processes(monkeypatch):
    """As on macOS."""
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: str(path) != "/proc/self/stat" and exists(path))
    began = lease._began(os.getpid())
    assert 0 <= time.time() - began < 24 * 3600 and lease._began(os.getpid()) == began
    assert lease._began(2**22 + 1) is None


@pytest.mark.parametrize(
    "environment",
    [
        {"MASTER_ADDR": "node01", "MASTER_PORT": "1"},
        {"WORLD_SIZE": "2", "RANK": "0"},
        {"MASTER_ADDR": "node01", "SLURM_PROCID": "0", "SLURM_NTASKS": "2"},
    ],
)
def test_half_a_description_of_the_ranks_is_an_error(monkeypatch, environment):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "SLURM_PROCID", "SLURM_LOCALID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="not a number"):
        distributed.place()


def test_processes_that_do_not_meet_are_an_error_and_no_world_of_one():
    code = """
from datetime import timedelta
from jepa_steps.cli import run
from jepa_steps.engine import distributed
distributed.MEETING = timedelta(seconds=2)
def main():
    with distributed.world() as w:
        print("trained in a world of", w.size)
run(main)
"""
    ranks = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}
    env = {**os.environ, **ranks, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "20999"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.returncode == 2 and "did not meet at 127.0.0.1:20999" in done.stderr and not done.stdout


def test_data_are_copied_to_a_node_s_disk_once_and_give_the_same_bytes(
    step, digits, tmp_path, monkeypatch
):
    monkeypatch.setenv("TMPDIR_OF_THIS_NODE", str(tmp_path))
    outputs = []
    for name, disk in (("there", ""), ("here", "$TMPDIR_OF_THIS_NODE"), ("again", str(tmp_path))):
        arguments = ("--spec", TINY, "--data", digits, "--out", tmp_path / name, "--local-disk", disk)
        code, _, err = step(train, *arguments, "--checkpoints", tmp_path / f"{name}-runs")
        assert code == 0, err
        outputs.append((tmp_path / name / "encoder.safetensors").read_bytes())
    assert outputs[0] == outputs[1] == outputs[2]
    (copy,) = (path for path in tmp_path.glob("jepa-steps-*") if path.is_dir())
    assert (copy / "images.npy").read_bytes() == (digits / "images.npy").read_bytes()
    arguments = ("--spec", TINY, "--data", digits, "--out", tmp_path / "x", "--local-disk", "$NOWHERE/x")
    code, _, err = step(train, *arguments, "--checkpoints", tmp_path / "x-runs")
    assert code == 2 and "found '$NOWHERE/x', of which an environment variable is not set" in err
    arguments = ("--spec", TINY, "--data", digits, "--out", tmp_path / "x", "--local-disk", "/nowhere")
    code, _, err = step(train, *arguments)
    assert code == 2 and "/nowhere: the data cannot be copied" in err and err.count("\n") == 1


# ------------------------------------------------------------------------------------------ lease


def held(folder: Path, **changes) -> Path:
    path = folder / "lease.json"
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1, "began": 1, "job": "12", **changes}))
    return path


def test_a_lease_of_a_dead_process_of_this_machine_is_taken_over_at_once(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    path = held(tmp_path, host=lease.socket.gethostname(), pid=process.pid, began=1)
    began = time.monotonic()
    with lease.lease(tmp_path):
        assert json.loads(path.read_text())["pid"] == os.getpid()
    assert time.monotonic() - began < 1 and not path.exists()


def test_a_silent_lease_of_another_machine_is_taken_over_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "SILENT", 2.0)
    held(tmp_path)
    began = time.monotonic()
    with lease.lease(tmp_path):
        assert time.monotonic() - began > 2


def test_a_lease_that_another_machine_renews_is_respected(tmp_path):
    held(tmp_path)
    timer = threading.Timer(1.5, lambda: held(tmp_path, beat=1))
    timer.start()
    with pytest.raises(InputError, match="elsewhere, process 1, Slurm job 12"), lease.lease(tmp_path):
        pass


def test_a_holder_whose_lease_was_taken_over_ends(tmp_path):
    code = (
        "import sys, time, pathlib; from jepa_steps.engine import lease; lease.BEAT = .1\n"
        "with lease.lease(pathlib.Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=-1, stderr=-1, text=True, cwd=ROOT
    )
    assert process.stdout.readline() == "held\n"
    held(tmp_path).replace(tmp_path / "other")
    (tmp_path / "other").replace(tmp_path / "lease.json")
    _, err = process.communicate(timeout=20)
    assert process.returncode == 1 and "taken over by elsewhere" in err


# --------------------------------------------------------------------------- restarts and signals


def starts(folder: Path, first_steps: list[int], job: str = "5") -> None:
    entries = [{"job": job, "first_step": s, "last_step": s + 9} for s in first_steps]
    (folder / "starts.json").write_text(json.dumps(entries))


def test_restarts_of_one_job_without_a_new_checkpoint_end_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "5")
    for first_steps, hopeless in (([0, 7, 7, 7], True), ([7, 7], False), ([7, 7, 9], False)):
        starts(tmp_path, first_steps)
        run = Starts(World(0, 1, CPU), 7, tmp_path)
        if hopeless:
            with pytest.raises(
                HopelessRun, match=f"{FRUITLESS} restarts of Slurm job 5 began at step 7"
            ):
                run.check()
        else:
            run.check()
    starts(tmp_path, [7, 7, 7], job="4")  # a job that was submitted anew
    Starts(World(0, 1, CPU), 7, tmp_path).check()


def test_a_job_queues_itself_again_after_progress_and_not_for_ever(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "5")
    starts(tmp_path, list(range(RESTARTS - 1)))
    run = Starts(World(0, 1, CPU), RESTARTS, tmp_path)
    assert run.may_requeue(RESTARTS + 1) and not run.may_requeue(RESTARTS)
    starts(tmp_path, list(range(RESTARTS)))
    assert not Starts(World(0, 1, CPU), RESTARTS, tmp_path).may_requeue(RESTARTS + 1)


@pytest.mark.parametrize(
    ("number", "requeue", "accepted", "asks", "waits"),
    [
        (signal.SIGUSR2, True, True, True, True),
        (signal.SIGUSR2, True, False, True, False),
        (signal.SIGUSR2, False, True, False, False),
        (signal.SIGTERM, True, True, False, True),
    ],
)
def test_what_a_job_does_after_a_signal(monkeypatch, tmp_path, number, requeue, accepted, asks, waits):
    """``scontrol`` is a script that notes its arguments, and accepts or refuses."""
    script = tmp_path / "scontrol"
    script.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\nexit {0 if accepted else 1}\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "5")
    monkeypatch.setenv("SLURM_PROCID", "0")
    slept = []
    monkeypatch.setattr(signals.time, "sleep", slept.append)
    with pytest.raises(SystemExit) as left:
        signals.leave(number, 3, requeue, main=True)
    assert left.value.code == 75 and (signals.WAIT in slept) == waits
    assert (tmp_path / "asked").exists() == asks
    assert not asks or (tmp_path / "asked").read_text() == "requeue 5\n"


# ----------------------------------------------------------- a checkpoint of several ranks, resumed


class Member(World):
    """One of several ranks, whose gathered tensors are given."""

    parts: dict[int, list[torch.Tensor]] = {}

    def gather(self, tensor):
        return [tensor, tensor + 1]


def test_sums_between_two_log_rows_are_each_rank_s_own(store):
    means = Means()
    means.add({"loss": torch.tensor(3.0)})
    state = means.state(Member(0, 2, CPU))
    for world, expected in ((Member(0, 2, CPU), 3.0), (Member(1, 2, CPU), 4.0), (World(0, 1, CPU), 3.5)):
        other = Means()
        other.load(state, world)
        assert other._sums["loss"] == expected


def test_moments_between_two_log_rows_are_shared_out_over_other_numbers_of_ranks():
    tokens = torch.randn(8, 4, 6, generator=torch.Generator().manual_seed(0))

    def seen(part) -> Watch:
        watch = Watch()
        watch.add(part)
        watch.settle(True)
        return watch

    states = [seen(part).state(World(0, 1, CPU)) for part in (tokens[::2], tokens[1::2])]
    state = {"samples": 4, "ranks": [s["ranks"][0] for s in states]}
    alone = Watch()
    alone.load(state, World(0, 1, CPU))
    wanted, found = (watch.take(World(0, 1, CPU)) for watch in (seen(tokens), alone))
    assert found["pooled"]["n"] == 8
    for name in ("relative_spread", "max_abs_correlation"):
        assert found["pooled"][name] == pytest.approx(wanted["pooled"][name])
