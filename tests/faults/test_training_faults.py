"""Training that is killed, cut off or starved ends with the bytes of the undisturbed run.

``make faults`` repeats the random faults 50 times; the slow tests do it a few times.
"""

import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import ranks
from support import ROOT, TINY

from jepa_steps.engine import signals

pytestmark = pytest.mark.slow

REPEATS = int(os.environ.get("FAULTS", "3"))
REPRODUCIBLE = (
    "encoder.safetensors",
    "snapshots.safetensors",
    "best.safetensors",
    "metrics.csv",
    "validation.csv",
)
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def start(folder: Path, digits: Path, spec: dict, *launcher: str, **options) -> subprocess.Popen:
    arguments = ["--spec", json.dumps(spec), "--data", str(digits)]
    arguments += ["--out", str(folder / "out"), "--checkpoints", str(folder / "runs")]
    return subprocess.Popen(
        [sys.executable, *launcher, "-m", "jepa_steps.train", *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def finished(folder: Path, digits: Path, spec: dict, size: int = 1) -> dict[str, str]:
    """Run to the end; hashes of what must be equal, the resume checkpoint's tensors included."""
    ranks.train(size, json.dumps(spec), digits, folder / "out", folder / "runs", timeout=300)
    return {n: hashlib.sha256((folder / "out" / n).read_bytes()).hexdigest() for n in REPRODUCIBLE} | {
        "checkpoint": final_checkpoint(folder)
    }


def final_checkpoint(folder: Path) -> str:
    """Hash of weights, target encoder and optimizer state of the last checkpoint."""
    import torch

    state = torch.load(max(folder.glob("runs/*/step-*.pt")), weights_only=True)
    digest = hashlib.sha256()

    def add(value):
        if isinstance(value, torch.Tensor):
            digest.update(value.contiguous().numpy().tobytes())
        elif isinstance(value, dict):
            for key in sorted(value, key=str):
                digest.update(str(key).encode())
                add(value[key])
        elif isinstance(value, list | tuple):
            for item in value:
                add(item)
        else:
            digest.update(repr(value).encode())

    add({"model": state["model"], "optimizer": state["optimizer"]})
    return digest.hexdigest()


def checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("runs/*/step-*.json"))


def test_killed_at_random_moments_even_while_saving(tmp_path, digits):
    """A checkpoint every 2 steps, so that many kills fall into a save."""
    spec = {**TINY, "steps": 60 * REPEATS, "checkpoint_every": 2, "validate_every": 7}
    (tmp_path / "whole").mkdir()
    whole = finished(tmp_path / "whole", digits, spec)
    draw, folder = random.Random(0), tmp_path / "killed"
    folder.mkdir()
    for _ in range(REPEATS):
        before = len({p.name for p in checkpoints(folder)}), max(checkpoints(folder), default=None)
        process = start(folder, digits, spec)
        deadline = time.time() + 120
        while max(checkpoints(folder), default=None) == before[1] and time.time() < deadline:
            time.sleep(0.005)
        time.sleep(draw.random() * 0.5)
        assert process.poll() is None, "finished before it was killed"
        process.kill()
        process.communicate()
    assert finished(folder, digits, spec) == whole


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR2])
def test_a_signal_leads_to_a_checkpoint_and_its_own_exit_code(tmp_path, digits, number):
    spec = {**TINY, "steps": 300, "checkpoint_every": 300}
    (tmp_path / "whole").mkdir()
    whole = finished(tmp_path / "whole", digits, spec)
    process = start(tmp_path, digits, spec)
    while not list(tmp_path.glob("runs/*/metrics.csv")):
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 75 and "saved a checkpoint of step" in err
    assert len(checkpoints(tmp_path)) == 1
    assert finished(tmp_path, digits, spec) == whole


def held(process: subprocess.Popen) -> bool:
    """Whether SIGTERM and SIGUSR2 wait, as the kernel says."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    blocked = int(next(line for line in status.splitlines() if line.startswith("SigBlk")).split()[1], 16)
    return all(blocked >> number - 1 & 1 for number in signals.NUMBERS)


@pytest.mark.parametrize(("number", "after"), list(zip(signals.NUMBERS, (0, 1), strict=True)))
def test_a_signal_while_the_imports_go_on_is_not_lost(tmp_path, digits, number, after):
    process = start(tmp_path, digits, {**TINY, "steps": 100_000})
    began = time.time()
    while not held(process):
        assert process.poll() is None and time.time() - began < 10
    held_from = time.time() - began
    time.sleep(after)
    assert process.poll() is None and not checkpoints(tmp_path)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    print(
        f"{signal.Signals(number).name} {after} s after it was held, {held_from:.2f} s after the start"
    )
    assert process.returncode == 75 and "saved a checkpoint of step" in err
    assert len(checkpoints(tmp_path)) == 1


@pytest.mark.parametrize("changes", [{}, {"shard": True}], ids=["copies", "shards"])
def test_a_killed_rank_ends_the_job_and_the_rerun_gives_the_same_bytes(tmp_path, digits, changes):
    spec = {**TINY, "steps": 50, "checkpoint_every": 7, "validate_every": 15, **changes}
    (tmp_path / "whole").mkdir()
    whole = finished(tmp_path / "whole", digits, spec, size=2)
    process = start(tmp_path, digits, spec, *TORCHRUN)
    while len(checkpoints(tmp_path)) < 1:
        time.sleep(0.05)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    killed = time.time()
    process.communicate(timeout=60)
    assert process.returncode != 0 and time.time() - killed < 60
    assert not (tmp_path / "out").exists()
    assert finished(tmp_path, digits, spec, size=2) == whole


def test_a_full_disk_is_named_and_the_previous_checkpoint_stays(tmp_path, digits):
    """The file size limit stands in for the disk: writing fails in the middle of the file."""
    spec = {**TINY, "checkpoint_every": 10}
    (tmp_path / "whole").mkdir()
    whole = finished(tmp_path / "whole", digits, spec)
    process = start(tmp_path, digits, {**spec, "steps": 40})
    while not checkpoints(tmp_path):
        time.sleep(0.01)
    process.kill()
    process.communicate()
    kept = checkpoints(tmp_path)
    size = max(tmp_path.glob("runs/*/step-*.pt")).stat().st_size

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))

    process = start(tmp_path, digits, spec, preexec_fn=limit)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2 and "cannot be written" in err, err
    assert kept[0] in checkpoints(tmp_path)
    assert finished(tmp_path, digits, spec) == whole
