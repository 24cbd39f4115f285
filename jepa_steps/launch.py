"""Start training on the machines that an experiment asks for.

    python -m jepa_steps.launch --nodes 2 --gpus 4 --cpus 8 -- --spec ... --data ... --out ...

Arguments after "--" go to jepa_steps.train. In a Slurm job, srun starts one process per GPU (without
GPUs, one per node) on the nodes of the job. Elsewhere, torchrun starts one process per GPU of this
machine, on GPUs that no other training holds and on no more than requested. If only one process is
possible, it is started without torchrun. If too few GPUs are free, it waits.
"""

import os
import subprocess
import sys
from argparse import Namespace

from .cards import take, visible
from .cli import parser, run
from .errors import InputError

TRAIN = ("-m", "jepa_steps.train")
PORTS = 12_000  # from 20,000 on: below the first that Linux gives to outgoing connections, 32,768
# For what runs on GPUs, unless the user says otherwise.
ENVIRONMENT = {
    # Masks change the shapes of a batch at every step; segments that grow are not cut to pieces by that.
    "PYTORCH_ALLOC_CONF": "expandable_segments:True",
    # torchrun kills after 30 s, in which a large checkpoint is not written.
    "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": "600",
}


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
    return command, {"MASTER_ADDR": first, "MASTER_PORT": str(20000 + int(job) % PORTS)}


def local_command(args: Namespace) -> tuple[list[str], dict[str, str]]:
    """The command on this machine, and which of its GPUs it sees: no two trainings share one."""
    asked, plain = args.nodes * args.gpus, [sys.executable, *TRAIN, *args.arguments]
    cards = visible()
    if not cards:
        return plain, {}  # where GPUs were asked for, training says that there are none
    count = min(max(1, asked), len(cards))
    if asked > 1:
        _usable(asked)
    if count < asked:
        print(f"launch: {asked} GPUs requested, {count} here; the batch stays the same", flush=True)
    chosen = take(cards, count, wait=asked > 0)
    held = {"CUDA_VISIBLE_DEVICES": ",".join(chosen)} if chosen else {}
    print(f"launch: on GPU {', '.join(chosen) or cards[0]} of {len(cards)}", flush=True)
    if count == 1:
        return plain, held
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count))
    return [sys.executable, *launcher, *TRAIN, *args.arguments], held


def _usable(asked: int) -> None:
    """Stop before torchrun starts several processes that all say that there is no GPU for them."""
    from .engine.distributed import usable_gpu  # imports torch, which takes seconds

    usable_gpu(asked)


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
    p.add_argument("--gpus", type=int, default=0, help="GPUs per node")
    p.add_argument("--cpus", type=int, default=1, help="CPUs per process")
    p.add_argument("arguments", nargs="+", metavar="-- ARGUMENT", help="arguments of jepa_steps.train")
    args = p.parse_args(argv)
    if args.nodes < 1 or args.gpus < 0:
        raise InputError(f"--nodes {args.nodes} --gpus {args.gpus}: expected 1 or more, and 0 or more")
    job = os.environ.get("SLURM_JOB_ID")
    command, environment = slurm_command(args, job) if job else local_command(args)
    sys.stdout.flush()
    asked = {"JEPA_STEPS_GPUS": str(args.gpus)} if args.gpus else {}
    os.execvpe(command[0], command, {**ENVIRONMENT, **os.environ, **asked, **environment})  # noqa: S606


if __name__ == "__main__":
    run(main)
