"""Several ranks on this host, forked from a server that has imported torch once.

torchrun, whose agent and ranks import it anew, takes 15 s of CPU time more per start; that it works is
what tests/faults and tests/cluster show.
"""

import os
import socket
import traceback
from collections.abc import Callable
from multiprocessing import connection, get_context
from pathlib import Path
from typing import Any

from jepa_steps import cli

SERVER = get_context("forkserver")
# Optimizers import the second one when they are made, sharded training the third.
SERVER.set_forkserver_preload(
    [
        "jepa_steps.train",
        "torch._dynamo",
        "torch.distributed.fsdp",
        "jepa_steps.modalities.images.training",
    ]
)


def run(target: Callable[..., Any], size: int, *arguments: Any, timeout: float = 120) -> None:
    """Call ``target(*arguments)`` in ``size`` processes with the environment that torchrun gives; fails,
    and ends them all, where one fails."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes, ends = [], []
    for rank in range(size):
        ours, theirs = SERVER.Pipe(duplex=False)
        place = dict(os.environ) | _place(rank, size, port)
        process = SERVER.Process(target=_rank, args=(place, theirs, target, arguments))
        process.start()
        theirs.close()
        processes.append(process)
        ends.append(ours)
    try:
        waiting = list(ends)
        while waiting:
            ready = connection.wait(waiting, timeout)
            assert ready, f"ranks were not done after {timeout} s"
            for end in ready:
                waiting.remove(end)
                try:
                    failure = end.recv()
                except EOFError:
                    failure = "a rank was killed"
                assert not failure, failure
    finally:
        for process in processes:
            process.join(0 if waiting else 10)
            process.kill()
            process.join()


def train(size: int, spec: str, data: Path, out: Path, checkpoints: Path, timeout: float = 120) -> None:
    """``torchrun --standalone --nproc-per-node SIZE -m jepa_steps.train``."""
    arguments = ["--spec", spec, "--data", data, "--out", out, "--checkpoints", checkpoints]
    run(_train, size, list(map(str, arguments)), timeout=timeout)


def _train(arguments: list[str]) -> None:
    from jepa_steps import train

    cli.run(lambda: train.main(arguments))


def _place(rank: int, size: int, port: int) -> dict[str, str]:
    """What torchrun tells a rank."""
    return {
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size),
    }  # fmt: skip


def _rank(place: dict[str, str], end: Any, target: Callable[..., Any], arguments: Any) -> None:
    os.environ.clear()
    os.environ.update(place)
    import torch

    torch.set_num_threads(1)  # read when torch was imported, before there was a rank
    try:
        target(*arguments)
    except BaseException:
        end.send(f"rank {place['RANK']}:\n{traceback.format_exc()}")
        raise
    end.send("")
