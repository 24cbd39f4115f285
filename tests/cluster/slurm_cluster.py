"""A Slurm cluster on this host, and one small experiment that is trained on it."""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
import ranks
import yaml
from support import ROOT, TINY

SCRIPT = ROOT / "tests" / "cluster" / "slurm.sh"
REPRODUCIBLE = ("encoder.safetensors", "snapshots.safetensors", "best.safetensors")
REPRODUCIBLE += ("metrics.csv", "validation.csv")
# Faults come up to three seconds after the first checkpoint, which a fast machine must not have ended by.
STEPS = 1200 if "FAULTS" in os.environ else 600
TRAIN = {**TINY, "steps": STEPS, "checkpoint_every": 100, "validate_every": 300}
RESULT = "results/train/two/encoder.safetensors"
# The environment's programs first: jobs get the PATH of whoever submits them.
ENV = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
ENV |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
ENV |= {"JEPA_STEPS_ON_CPU": "1"}  # the GPUs that its nodes count are none


def sh(*command: str, **options) -> str:
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env=ENV, timeout=300, **options
    ).stdout.strip()


def until(true: Callable[[], object], seconds: float, what: str) -> object:
    """Poll; what the condition gave."""
    end = time.time() + seconds
    while time.time() < end:
        if found := true():
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {seconds:.0f} s\n{sh('squeue')}")


@pytest.fixture(scope="session")
def cluster():
    """Two nodes; every test that needs them is skipped with the reason where they cannot be had."""
    if os.getuid() != 0:
        pytest.skip("no cluster: not root")
    if not (shutil.which("slurmctld") and shutil.which("slurmd")) and not shutil.which("apt-get"):
        pytest.skip("no cluster: no slurm-wlm, and no apt-get to install it")
    if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        pytest.skip("no cluster: pip install '.[slurm]'")
    started = subprocess.run([SCRIPT, "start"], capture_output=True, text=True)
    if started.returncode:
        pytest.skip(f"no cluster: {started.stderr.strip()}")
    yield
    subprocess.run([SCRIPT, "stop"], check=True, capture_output=True)


@pytest.fixture(autouse=True)
def quiet(request):
    """No job of an earlier test is left."""
    if "cluster" in request.fixturenames:
        subprocess.run("squeue -h -o %A | sort -u | xargs -r scancel", shell=True, check=True)
        until(lambda: not sh("squeue", "-h"), 60, "an empty queue")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> Path:
    """A folder with the config and the prepared digits."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "config" / "cards").mkdir(parents=True)
    shutil.copy(ROOT / "config" / "cards" / "digits.md", folder / "config" / "cards")
    write_config(folder)
    sh(*snakemake_command("data/digits/manifest.json"), cwd=folder)
    return folder


def write_config(folder: Path, train: dict | None = None, **resources) -> None:
    images = {"source": "digits", "path": "config/cards/digits.md", "image_size": 8, "channels": 1}
    two = {"dataset": "digits", "train": {**TRAIN, **(train or {})}}
    two["probe"] = {"few_draws": 2, "bootstrap": 100, "logistic_c": [0.1]}
    two["resources"] = {"nodes": 2, "gpus": 1, "mem_mb": 1000, "runtime": 10, **resources}
    config = {"images": {"digits": images}, "experiments": {"two": two}}
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def snakemake_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "snakemake", "--nocolor", "-s", str(ROOT / "Snakefile"), *arguments]


def through_slurm(target: str = RESULT, partition: str = "main") -> list[str]:
    """The command of docs/cluster.md, and what this cluster differs in: small nodes, short waits."""
    options = ["--profile", str(ROOT / "profiles" / "slurm"), "--latency-wait", "10"]
    options += ["--slurm-init-seconds-before-status-checks", "3", "--default-resources"]
    options += ["mem_mb=1000*attempt", "runtime=10", f"slurm_partition={partition}"]
    return snakemake_command(*options, "--", target)


class Run:
    """Snakemake training the experiment through Slurm, in a folder of its own."""

    def __init__(self, prepared: Path, folder: Path, partition: str = "main", **config):
        self.folder, self._partition = folder, partition
        shutil.copytree(prepared, folder, symlinks=True)
        if config:
            write_config(folder, **config)
        self.start()

    def start(self) -> None:
        self._log = (self.folder / "snakemake.log").open("ab")
        self.process = subprocess.Popen(
            through_slurm(partition=self._partition),
            cwd=self.folder,
            env=ENV,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def steps(self) -> list[int]:
        found = self.folder.glob("checkpoints/two/*/step-*.json")
        return sorted(int(path.stem.split("-")[1]) for path in found)

    def job(self) -> str:
        """The id of the job, once it has written a checkpoint."""
        until(self.steps, 120, "a checkpoint")
        return sh("squeue", "-h", "-t", "RUNNING", "-o", "%A").splitlines()[0]

    def finish(self, seconds: float = 400) -> dict:
        """Wait for success; the summary."""
        code = self.process.wait(timeout=seconds)
        log = (self.folder / "snakemake.log").read_text()
        assert code == 0, log[-5000:]
        return json.loads((self.folder / "results/train/two/summary.json").read_text())

    def hashes(self) -> dict[str, str]:
        return hashes(self.folder / "results/train/two")


def hashes(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in REPRODUCIBLE}


def locally(prepared: Path, out: Path, size: int, train: dict | None = None) -> Path:
    """The same training without a scheduler."""
    spec = json.dumps({**TRAIN, **(train or {})})
    with mock.patch.dict(os.environ, ENV):
        ranks.train(size, spec, prepared / "data/digits", out, Path(f"{out}-runs"), timeout=300)
    return out


@pytest.fixture(scope="session")
def whole(prepared, tmp_path_factory) -> Path:
    """What undisturbed training by two processes gives."""
    return locally(prepared, tmp_path_factory.mktemp("whole") / "out", size=2)
