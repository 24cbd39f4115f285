"""Throughput and model FLOP utilisation of a run, and its summary."""

import time
from typing import TYPE_CHECKING, Any

from torch import Tensor

from . import flops, memory
from .starts import Starts, peak_memory

if TYPE_CHECKING:
    from .loop import Trainer


class Speed:
    """Clock of a running trainer; counts the operations of one step when it starts."""

    def __init__(self, trainer: "Trainer"):
        self._trainer, self._first = trainer, trainer.step
        self.starts = Starts(trainer.world, trainer.step, trainer.folder)
        train, world, jepa = trainer.settings, trainer.world, trainer.jepa
        two = tuple(part[:2] for part in trainer.batch(0, 0))

        def loss() -> Tensor:
            with trainer.precision.autocast():
                return jepa.loss(jepa(*two), alone=True)[0]

        # Operations and activations grow with the samples, so two tell what the batch will take.
        self.step_flops = flops.count(jepa, loss) * train.batch_size // 2
        self.predicted_bytes = memory.predicted(jepa, loss, train, world.size)
        self._peak, self._peak_source = flops.peak(world.device)
        if world.main:
            print(f"a step takes about {self.predicted_bytes / 2**20:,.0f} MiB a process", flush=True)
        trainer.waited = 0.0
        self._started = self._lap_time = time.perf_counter()
        self._lap_step = trainer.step

    def _pace(self, steps: int, seconds: float) -> dict[str, float]:
        rate = steps / seconds
        return {
            "samples_per_second": rate * self._trainer.settings.batch_size,
            "mfu": rate * self.step_flops / (self._peak * self._trainer.world.size),
        }

    def lap(self) -> dict[str, float]:
        """Pace since the last call: samples a second over all ranks, MFU, the share of the time in
        which batches were drawn (beside an accelerator's work where there is one), peak memory."""
        now, step = time.perf_counter(), self._trainer.step
        seconds = now - self._lap_time
        pace = self._pace(step - self._lap_step, seconds)
        pace["data_share"], self._trainer.waited = self._trainer.waited / seconds, 0.0
        pace["peak_memory_bytes"] = peak_memory(self._trainer.world.device)
        self._lap_time, self._lap_step = now, step
        self.starts.note(step)
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
            "predicted_memory_bytes": self.predicted_bytes,
            "peak_memory_bytes": peak_memory(self._trainer.world.device),
        }


def summary(trainer: "Trainer", speed: Speed) -> dict[str, Any]:
    """What summary.json holds of a finished run."""
    s, jepa = trainer.settings, trainer.jepa
    return {
        "steps": s.steps,
        "skipped": trainer.guard.skipped,
        "epochs": s.steps * s.batch_size / len(trainer.task.rows),
        "parameters": {
            name: sum(p.numel() for p in part.parameters()) if part else 0
            for name, part in (("encoder", jepa.encoder), ("predictor", jepa.predictor))
        },
        "best": trainer.validation.best,
        "flops_per_step": speed.step_flops,
        "ranks": trainer.world.size,
        "device": str(trainer.world.device),
        "precision": trainer.precision.name,
        "this_run": speed.total(),
        "run": speed.starts.total(trainer.step),
    }
