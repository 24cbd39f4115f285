"""What a sweep asks of the scheduler: calls of Slurm's commands, by Snakemake and inside of its jobs.

    tests/cluster/slurm.sh start                                    or on a cluster
    python benchmarks/scheduler.py 200 --default-resources mem_mb=1500 runtime=10

Options after the number go to Snakemake.

The graph, the profile, the executor and Slurm are the real ones; only the commands of the rules are
replaced by ``touch``, because what the steps compute asks nothing of the scheduler.
"""

import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PROGRAMS = ("sbatch", "squeue", "sacct", "scontrol", "sinfo", "scancel", "srun")


def workflow(folder: Path, experiments: int) -> None:
    """The project's workflow with empty steps, and a config of so many experiments."""
    shutil.copy(ROOT / "Snakefile", folder)
    for name in ("workflow", "profiles", "config", "jepa_steps"):
        shutil.copytree(ROOT / name, folder / name)
    for file in (folder / "workflow" / "rules").glob("*.smk"):
        shell = r'^( *)shell:\n(?:\1    ".*"\n)+'
        touch = r'\1shell:\n\1    "touch {output:q}"\n'
        file.write_text(re.sub(shell, touch, file.read_text(), flags=re.M))
    config = yaml.safe_load((folder / "config" / "config.yaml").read_text())
    one = {"dataset": "digits", "resources": {"mem_mb": 1000, "runtime": 10}}
    config["experiments"] = {
        f"seed-{i}": {**one, "train": {"encoder": "jepa", "seed": i, "model": {"patch_size": 2}}}
        for i in range(experiments)
    }
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(config))


def watched(folder: Path) -> Path:
    """A folder for PATH in which every command of Slurm notes its name and the time, then runs."""
    (folder / "bin").mkdir()
    for name in PROGRAMS:
        if real := shutil.which(name):
            script = folder / "bin" / name
            script.write_text(
                f'#!/bin/sh\necho "{name} $(date +%s)" >> {folder}/calls\nexec {real} "$@"\n'
            )
            script.chmod(0o755)
    return folder / "bin"


def main() -> None:
    experiments, options = int(sys.argv[1]), sys.argv[2:]
    folder = Path(tempfile.mkdtemp(prefix="scheduler-", dir=Path.cwd()))  # a disk that nodes see
    workflow(folder, experiments)
    path = f"{watched(folder)}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm", *options]
    began = time.time()
    with (folder / "log").open("w") as log:
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, "PATH": path}, stdout=log, stderr=log
        )
    minutes = (time.time() - began) / 60
    calls = [line.split() for line in (folder / "calls").read_text().splitlines()]
    total = collections.Counter(name for name, _ in calls)
    busiest = collections.Counter((name, int(when) // 60) for name, when in calls)
    asked = " ".join([str(experiments), "experiments", *options])
    print(f"{asked}: {minutes:.1f} min, exit code {done.returncode}")
    for name, count in total.most_common():
        most = max(n for (which, _), n in busiest.items() if which == name)
        print(f"{name}: {count}, {count / minutes:.2f} a minute, at most {most} in one")
    print(f"load {os.getloadavg()[0]:.1f}; everything is in {folder}")


if __name__ == "__main__":
    main()
