"""Start training on the machines that an experiment asks for.

    python -m jepa_steps.launch --nodes 2 --gpus 4 --cpus 8 -- --spec ... --data ... --out ...

What follows "--" goes to jepa_steps.train. In a Slurm job: srun, one process a GPU (without GPUs one a
node) on the nodes of the job. Elsewhere: the GPUs of this machine, at most as many as asked for, one
process each by torchrun; one plain process where there is no choice.
"""

import os
import subprocess
import sys
from argparse import Namespace

from .cli import parser, run
from .errors import InputError

TRAIN = ("-m", "jepa_steps.train")


def slurm_command(args: Namespace, job: str) -> tuple[list[str], dict[str, str]]:
    """The srun command of a job, and what its processes need to find each other.

    Slurm's own variables are no help: the executor's job step takes most of them out of the
    environment, and srun then starts one process a node, whatever the job asked for.
    """
    each = max(1, args.gpus)
    command = ["srun", f"--nodes={args.nodes}", f"--ntasks={args.nodes * each}"]
    command += [f"--ntasks-per-node={each}", f"--cpus-per-task={args.cpus}", "--overlap"]
    command += ["--kill-on-bad-exit=1", *([f"--gres=gpu:{args.gpus}"] if args.gpus else [])]
    command += [sys.executable, "-u", *TRAIN, *args.arguments]
    if args.nodes * each == 1:
        return command, {}
    nodes = _said("squeue", "--noheader", "--jobs", job, "--format", "%N")
    first = _said("scontrol", "show", "hostnames", nodes).splitlines()[0]
    return command, {"MASTER_ADDR": first, "MASTER_PORT": str(20000 + int(job) % 20000)}


def local_command(args: Namespace) -> list[str]:
    """The command on this machine."""
    asked = args.nodes * args.gpus
    count = asked
    if asked > 1:
        import torch  # takes seconds

        count = min(asked, torch.cuda.device_count())
        if count < asked:
            print(f"launch: {asked} GPUs asked for, {count} here; the batch stays the same", flush=True)
    if count < 2:
        return [sys.executable, *TRAIN, *args.arguments]
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count))
    return [sys.executable, *launcher, *TRAIN, *args.arguments]


def _said(*command: str) -> str:
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip()
        raise InputError(f"{' '.join(command)}: {reason}; are Slurm's commands on the nodes?") from None
    return result.stdout.strip()


def main(argv: list[str] | None = None) -> None:
    """The command line; see the top of this file or ``--help``."""
    p = parser(__doc__)
    p.add_argument("--nodes", type=int, default=1, help="nodes of a cluster")
    p.add_argument("--gpus", type=int, default=0, help="GPUs a node")
    p.add_argument("--cpus", type=int, default=1, help="CPUs of one process")
    p.add_argument("arguments", nargs="+", metavar="-- ARGUMENT", help="what jepa_steps.train takes")
    args = p.parse_args(argv)
    job = os.environ.get("SLURM_JOB_ID")
    command, environment = slurm_command(args, job) if job else (local_command(args), {})
    sys.stdout.flush()
    os.execvpe(command[0], command, {**os.environ, **environment})  # noqa: S606


if __name__ == "__main__":
    run(main)
