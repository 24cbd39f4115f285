"""Throughput and model FLOP utilisation of a run."""

import time

from .cost import StepCost
from .distributed import World
from .starts import peak_memory


class Speed:
    """Clock of a running training.

    Args:
        cost: of a step. batch_size: samples of a step, over all ranks. world: the ranks.
        step: where this start begins.
    """

    def __init__(self, cost: StepCost, batch_size: int, world: World, step: int):
        self._cost, self._batch_size, self._world, self._first = cost, batch_size, world, step
        self._peak, self._source = cost.peak_flops, cost.peak_source
        self._started = self._lap_time = time.perf_counter()
        self._lap_step = step

    def _pace(self, steps: int, seconds: float) -> dict[str, float]:
        rate = steps / seconds
        reached = rate * self._cost.flops / self._world.size
        if reached > self._peak:  # the peak was timed on a busy device: it can do what it did
            self._peak, self._source = reached, f"{self._cost.peak_source}, exceeded by training itself"
        return {"samples_per_second": rate * self._batch_size, "mfu": reached / self._peak}

    def lap(self, step: int, waited: float) -> dict[str, float]:
        """Pace since the last call: samples per second over all ranks, MFU, the share of the time in
        which batches were drawn, ``waited`` seconds (beside an accelerator's work where there is one),
        peak memory."""
        now = time.perf_counter()
        seconds = now - self._lap_time
        pace = self._pace(step - self._lap_step, seconds)
        pace["data_share"] = waited / seconds
        pace["peak_memory_bytes"] = peak_memory(self._world.device)
        self._lap_time, self._lap_step = now, step
        return pace

    def total(self, step: int) -> dict[str, float | int | str]:
        """The same since the start or resume, with peak FLOP/s and peak memory (bytes)."""
        seconds = time.perf_counter() - self._started
        return {
            "resumed_at_step": self._first,
            "seconds": seconds,
            **self._pace(max(step - self._first, 1), seconds),
            "peak_flops": self._peak,
            "peak_source": self._source,
            "predicted_memory_bytes": self._cost.memory_bytes,
            "peak_memory_bytes": peak_memory(self._world.device),
        }
