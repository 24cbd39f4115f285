"""Throughput and model FLOP utilisation of a run."""

import resource
import time
from typing import TYPE_CHECKING, Any

import torch

from . import flops

if TYPE_CHECKING:
    from .loop import Trainer


class Speed:
    """Clock of a running trainer; counts the operations of one step when it starts."""

    def __init__(self, trainer: "Trainer"):
        self._trainer, self._first = trainer, trainer.step
        self.step_flops = flops.count(trainer.jepa, *trainer.batch(0)) * trainer.world.size
        self._peak, self._peak_source = flops.peak(trainer.world.device)
        self._started = self._lap_time = time.perf_counter()
        self._lap_step = trainer.step

    def _pace(self, steps: int, seconds: float) -> dict[str, float]:
        rate = steps / seconds
        return {
            "samples_per_second": rate * self._trainer.settings.batch_size,
            "mfu": rate * self.step_flops / (self._peak * self._trainer.world.size),
        }

    def lap(self) -> dict[str, float]:
        """Samples a second over all ranks, and MFU, since the last call."""
        now, step = time.perf_counter(), self._trainer.step
        pace = self._pace(step - self._lap_step, now - self._lap_time)
        self._lap_time, self._lap_step = now, step
        return pace

    def total(self) -> dict[str, Any]:
        """The same since the start or resume, with peak FLOP/s and peak memory (bytes)."""
        seconds, step = time.perf_counter() - self._started, self._trainer.step
        return {
            "resumed_at_step": self._first,
            "seconds": seconds,
            **self._pace(max(step - self._first, 1), seconds),
            "peak_flops": self._peak,
            "peak_source": self._peak_source,
            "peak_memory_bytes": _peak_memory(self._trainer.world.device),
        }


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
