"""The same experiment on a real Slurm, disturbed in every way a scheduler knows, ends with the same bytes.

``make cluster`` runs the first part, ``make cluster-faults`` 20 faults at random moments.
"""

import csv
import itertools
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from cluster.slurm_cluster import (
    SCRIPT,
    TRAIN,
    Run,
    cluster,
    hashes,
    locally,
    prepared,
    quiet,
    sh,
    snakemake_command,
    until,
    whole,
)
from safetensors.torch import load_file

FIXTURES = (cluster, prepared, quiet, whole)

pytestmark = pytest.mark.cluster

FAULTS = int(os.environ.get("FAULTS", "0"))
INTERVAL = TRAIN["checkpoint_every"]


def near_the_time_limit(run: Run, job: str) -> None:
    """What ``--signal=USR2@180`` delivers."""
    sh("scancel", "--signal=USR2", job)


def preempted(run: Run, job: str) -> None:
    sh(
        "sbatch",
        "-p",
        "high",
        "-N2",
        "--gres=gpu:2",
        "--mem=100",
        "-o",
        "/dev/null",
        "--wrap",
        "sleep 3",
    )


def cancelled(run: Run, job: str) -> None:
    sh("scancel", job)


def rank_killed(run: Run, job: str) -> None:
    os.kill(ranks(job)[-1], signal.SIGKILL)


def node_lost(run: Run, job: str) -> None:
    sh(str(SCRIPT), "fail", "node02")
    until(lambda: "down" in sh("sinfo", "-h", "-N", "-n", "node02", "-o", "%T"), 90, "node02 down")
    sh(str(SCRIPT), "resume", "node02")


KINDS = {f.__name__: f for f in (near_the_time_limit, preempted, cancelled, rank_killed, node_lost)}
SAVES = ("near_the_time_limit", "preempted", "cancelled")


def ranks(job: str) -> list[int]:
    """Process numbers of the job's training processes, by rank."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "environ").read_bytes().decode(errors="replace")
            command = (folder / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        env = dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)
        if env.get("SLURM_JOB_ID") == job and "jepa_steps.train" in command and command[0] != "srun":
            found[int(env.get("SLURM_PROCID", -1))] = int(folder.name)
    return [found[rank] for rank in sorted(found) if rank >= 0]


def check_history(run: Run, summary: dict, saves: bool) -> None:
    """No step twice, none missing; the starts tell what was lost."""
    with (run.folder / "results/train/two/metrics.csv").open(newline="") as file:
        steps = [int(row["step"]) for row in csv.DictReader(file)]
    assert steps == list(range(10, TRAIN["steps"] + 1, 10))
    starts = summary["run"]["starts"]
    assert summary["run"]["restarts"] == len(starts) - 1 >= 1
    for before, after in itertools.pairwise(starts):
        lost = before["last_step"] - after["first_step"]
        assert lost <= (0 if saves else INTERVAL), starts


def test_two_nodes_requeued_once_give_the_bytes_of_two_processes_here(
    cluster, prepared, whole, tmp_path
):
    run = Run(prepared, tmp_path / "run")
    job = run.job()
    near_the_time_limit(run, job)
    summary = run.finish()
    assert run.hashes() == hashes(whole)
    check_history(run, summary, saves=True)
    assert {start["job"] for start in summary["run"]["starts"]} == {job}
    log = next((run.folder / ".snakemake/slurm_logs").rglob(f"{job}.log")).read_text()
    assert "stopped by a signal" in log  # what the first start said is still there
    one = load_file(locally(prepared, tmp_path / "one", size=1) / "encoder.safetensors")
    two = load_file(run.folder / "results/train/two/encoder.safetensors")
    worst = max(float((one[name] - two[name]).abs().max()) for name in one)
    print(f"largest weight difference of 1 and 2 processes after {TRAIN['steps']} steps: {worst:.1e}")
    assert all(torch.allclose(one[name], two[name], atol=0.02) for name in one)
    # Other machines, nothing to do: resources are no part of the result.
    text = (run.folder / "config/config.yaml").read_text().replace("nodes: 2", "nodes: 1")
    (run.folder / "config/config.yaml").write_text(text)
    target = "results/train/two/encoder.safetensors"
    said = subprocess.run(
        snakemake_command("-n", "--", target), cwd=run.folder, capture_output=True, text=True
    )
    assert "Nothing to be done" in said.stdout + said.stderr


def test_a_stopped_rank_ends_the_job_within_a_minute(cluster, prepared, tmp_path):
    """A process that no longer runs and keeps its connections: what a dead machine looks like."""
    run = Run(prepared, tmp_path / "run", train={"steps": 100_000})
    job = run.job()
    os.kill(ranks(job)[1], signal.SIGSTOP)
    began = time.time()
    until(lambda: job not in sh("squeue", "-h", "-t", "R,CG", "-o", "%A"), 75, "end of the job")
    seconds = time.time() - began
    os.killpg(run.process.pid, signal.SIGKILL)
    log = next((run.folder / ".snakemake/slurm_logs").rglob(f"{job}.log")).read_text()
    assert "rank 1 of 2 on" in log and "has been silent" in log
    print(f"ended {seconds:.0f} s after the rank stopped")
    assert seconds <= 60


def test_sharded_over_two_nodes_with_two_processes_each(cluster, prepared, tmp_path):
    shard = {"shard": True, "steps": 100}
    run = Run(prepared, tmp_path / "run", train=shard, gpus=2)
    run.finish()
    assert run.hashes() == hashes(locally(prepared, tmp_path / "four", size=4, train=shard))


def test_snakemake_killed_while_a_job_trains_repeats_no_training(cluster, prepared, whole, tmp_path):
    run = Run(prepared, tmp_path / "run")
    job = run.job()
    os.killpg(run.process.pid, signal.SIGKILL)
    run.process.wait()
    until(lambda: job not in sh("squeue", "-h", "-o", "%A"), 120, "end of the job")
    sh(*snakemake_command("--unlock"), cwd=run.folder)
    run.start()
    summary = run.finish()
    assert [start["job"] for start in summary["run"]["starts"]] == [job]
    assert run.hashes() == hashes(whole)


@pytest.mark.skipif(not FAULTS, reason="FAULTS not set; make cluster-faults")
@pytest.mark.parametrize("number", range(FAULTS))
def test_a_fault_and_its_recovery(cluster, prepared, whole, tmp_path, number):
    kind = list(KINDS)[number % len(KINDS)]
    run = Run(prepared, tmp_path / "run", partition="low" if kind == "preempted" else "main")
    job = run.job()
    time.sleep(random.Random(number).random() * 3)
    KINDS[kind](run, job)
    began = time.time()
    summary = run.finish(600)
    print(f"fault {number}, {kind}: recovered and finished after {time.time() - began:.0f} s")
    assert run.hashes() == hashes(whole)
    check_history(run, summary, saves=kind in SAVES)
