"""One process or many: the same code under plain python and torchrun."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

from ..errors import InputError


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

    def total(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum of a tensor over all ranks, in place."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor


@contextmanager
def world() -> Iterator[World]:
    """Join the process group that torchrun describes; a world of one without it.

    A rendezvous that fails raises; it never becomes a silent world of one.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    cuda = torch.cuda.is_available()
    if cuda and local >= torch.cuda.device_count():
        raise InputError(
            f"{local + 1} processes on this machine but {torch.cuda.device_count()} GPUs; "
            "start one process a GPU"
        )
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    if size == 1:
        yield World(0, 1, device)
        return
    backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
    dist.init_process_group(backend, timeout=timedelta(minutes=5))
    # Not in a "finally": a rank that failed must end at once, without waiting for the others.
    yield World(dist.get_rank(), size, device)
    dist.destroy_process_group()
