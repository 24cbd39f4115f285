"""One process or many: the same code under plain python, torchrun and srun."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from ..errors import InputError
from . import network
from .heartbeat import Heartbeat

MEETING = timedelta(minutes=5)  # nodes start one after the other, and read Python from a shared disk
TIMEOUT = timedelta(minutes=10)  # of a collective: longer than a checkpoint takes
ASKED = "JEPA_STEPS_GPUS"  # how many GPUs of this machine launch was asked for
ON_CPU = "JEPA_STEPS_ON_CPU"  # 1: train on the CPU where those cannot be used


@dataclass(frozen=True)
class World:
    """This process among all: rank, number of ranks, its device."""

    rank: int
    size: int
    device: torch.device

    @property
    def main(self) -> bool:
        """True on the rank that writes files."""
        return self.rank == 0

    def smallest(self, value: int) -> int:
        """The minimum of an integer over all ranks, agreed on without waiting for the GPU."""
        if self.size == 1:
            return value
        tensor = torch.tensor(value)
        dist.all_reduce(tensor, dist.ReduceOp.MIN)
        return int(tensor)

    def from_main(self, value: int) -> int:
        """The main rank's integer, on every rank."""
        if self.size == 1:
            return value
        tensor = torch.tensor(value)
        dist.broadcast(tensor, 0)
        return int(tensor)

    def gather(self, tensor: torch.Tensor) -> list[torch.Tensor]:
        """A tensor of every rank, in rank order, on every rank."""
        if self.size == 1:
            return [tensor]
        parts = [torch.empty_like(tensor) for _ in range(self.size)]
        dist.all_gather(parts, tensor.contiguous())
        return parts

    def total(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum of a tensor over all ranks, in place."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor


@contextmanager
def world() -> Iterator[World]:
    """Join the process group that torchrun or srun describes; a world of one without them.

    Raises:
        InputError: more processes than GPUs, GPUs asked for that torch cannot use, half a description,
            or a rendezvous that fails; it never becomes a silent world of one.
    """
    rank, size, local = place()
    cuda = usable_gpu(int(os.environ.get(ASKED) or 0))
    # Where Slurm shows each process one GPU only, that is number 0.
    local = min(local, torch.cuda.device_count() - 1) if cuda and "SLURM_PROCID" in os.environ else local
    if cuda and local >= torch.cuda.device_count():
        raise InputError(
            f"{local + 1} processes on this machine but {torch.cuda.device_count()} GPUs; "
            "start one process per GPU"
        )
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    if size == 1:
        yield World(0, 1, device)
        return
    backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
    store = _meet(rank, size)
    network.choose_interface(store, rank, size)
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=TIMEOUT)
    heartbeat = Heartbeat(store, rank, size)
    # Not in a "finally": a rank that failed must end at once, without waiting for the others.
    yield World(rank, size, device)
    heartbeat.end()
    dist.destroy_process_group()


def usable_gpu(asked: int) -> bool:
    """Whether to train on GPUs: where there are any; ``asked`` is how many a user wants.

    Raises:
        InputError: some were asked for, and torch cannot use them.
    """
    if torch.cuda.is_available():
        return True
    if asked:
        why = "see nvidia-smi" if torch.version.cuda else "it is built for CPUs alone"
        if os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1"):
            why = "CUDA_VISIBLE_DEVICES hides them"
        none = f"resources.gpus: {asked} requested, but torch {torch.__version__} can use none ({why})"
        if os.environ.get(ON_CPU) != "1":
            raise InputError(
                f"{none}; install a torch for your CUDA (README), set resources.gpus: 0, or {ON_CPU}=1 "
                "in the environment to train on the CPU all the same"
            )
        print(f"{none}; training on the CPU, as {ON_CPU}=1 says", flush=True)
    if torch.backends.mps.is_available():
        print("Apple's GPU is not used: it has no float64, in which statistics are summed", flush=True)
    return False


def place() -> tuple[int, int, int]:
    """(rank, number of ranks, rank on this machine), as torchrun or else srun say.

    srun's word counts where the launcher named a meeting point; a task of srun by itself is alone.

    Raises:
        InputError: a meeting point, and nobody said which rank this is.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    if "WORLD_SIZE" not in os.environ:
        if "MASTER_ADDR" not in os.environ:
            return 0, 1, 0
        names = ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID")
    missing = [name for name in names if not os.environ.get(name, "").isdigit()]
    if missing:
        raise InputError(
            f"{missing[0]}: not a number, though WORLD_SIZE or MASTER_ADDR is set; start several "
            "processes by torchrun or jepa_steps.launch, or unset both"
        )
    rank, size, local = (int(os.environ[name]) for name in names)
    return rank, size, local


def _meet(rank: int, size: int) -> dist.Store:
    try:
        url = f"env://?rank={rank}&world_size={size}"
        return next(rendezvous(url, timeout=MEETING))[0]
    except (RuntimeError, ValueError) as error:
        where = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
        reason = str(error).splitlines()[0][:200]
        raise InputError(
            f"rank {rank} of {size}: the processes did not meet at {where} within {MEETING}: {reason}"
        ) from None
