"""Memory of a training step: predicted before the first one, explained when it does not fit."""

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..config import JepaRun
from ..errors import InputError

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt (malloc.h)
_LARGE = 2**31 - 1


def keep_freed() -> None:
    """Let glibc keep what a step frees for the next one. By default large arrays go back to the system,
    and a step on the CPU spends much of its time on the page faults of the next
    (benchmarks/freed_memory.py). Nothing is done where the environment sets these thresholds, or without
    glibc."""
    if any(name.startswith("MALLOC_") for name in os.environ):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE // 2)
        mallopt(_TRIM_THRESHOLD, _LARGE)


def predicted(module: nn.Module, loss: Callable[[int], Tensor], train: JepaRun, ranks: int) -> int:
    """Bytes that a step needs on one rank: weights, gradients, optimizer state, activations.

    Activations are what autograd keeps for ``loss(n)`` of n samples. What it keeps of 2 and of 4 tells
    what a sample adds, and what does not grow with them, as half-precision copies of the weights;
    temporary buffers of single operations come on top.
    """
    trained = sum(p.numel() for p in module.parameters() if p.requires_grad)
    fixed = sum(p.numel() for p in module.parameters() if not p.requires_grad)
    moments = 1 if train.optimizer.kind in ("sgd", "muon") else 2
    state = 4 * (trained * (2 + moments) + fixed) // (ranks if train.shard else 1)
    of_two, of_four = (kept(module, lambda n=n: loss(n)) for n in (2, 4))
    a_sample, samples = (of_four - of_two) / 2, train.batch_size / ranks / train.accumulate
    return state + round(of_two + a_sample * (samples - 2))


def kept(module: nn.Module, loss: Callable[[], Tensor]) -> int:
    """Bytes that autograd keeps for the gradient of ``loss()``, beside the parameters themselves."""
    held: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        held[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        graph = loss()
    for p in module.parameters():
        if not hasattr(p, "to_local"):
            held.pop(p.untyped_storage().data_ptr(), None)
    del graph  # until here it keeps every address its own
    return sum(held.values())


@contextmanager
def explained(train: JepaRun, needed: int, ranks: int) -> Iterator[None]:
    """Turn running out of memory into one line that says which settings to change.

    Raises:
        InputError: CUDA or the CPU allocator refused memory.
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and "not enough memory" not in str(error):
            raise
        samples = train.batch_size // ranks // train.accumulate
        shard = ", train.shard: true" if ranks > 1 and not train.shard else ""
        raise InputError(
            f"out of memory at {samples} samples per forward pass (batch_size {train.batch_size}, "
            f"{ranks} process(es), accumulate {train.accumulate}; predicted {needed / 2**20:,.0f} MiB "
            f"per process): set train.accumulate: {2 * train.accumulate}, train.recompute: true{shard}, "
            "or "
            f"a smaller train.batch_size ({str(error).splitlines()[0][:160]})"
        ) from None
