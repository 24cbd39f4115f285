"""What a run has used over all its starts: time, processor, memory."""

import json
import os
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from ..errors import HopelessRun
from .distributed import World

RESTARTS = 100  # times a Slurm job queues itself again
FRUITLESS = 3  # restarts without a new checkpoint after which a job is given up


class Starts:
    """The starts of a run, in ``starts.json`` of its folder across kills and resumes.

    The entry of this start is replaced at every ``note``, so that a killed start keeps what it had
    used when it last logged.

    Args:
        world: the ranks whose use is added up.
        step: where this start begins.
        folder: run folder; None = nothing is kept (a floor is built in one go).
    """

    def __init__(self, world: World, step: int = 0, folder: Path | None = None):
        self._world, self._path = world, folder / "starts.json" if folder else None
        self._earlier = _read(self._path) if self._path else []
        self._began, self._wall, self._cpu = _now(), time.perf_counter(), time.process_time()
        self._first, self._job = step, os.environ.get("SLURM_JOB_ID")
        self.note(step)

    def _of_this_job(self) -> list[dict[str, Any]]:
        """Earlier starts that Slurm made of the same job; a job submitted anew counts from zero."""
        return [e for e in self._earlier if self._job and e.get("job") == self._job]

    def may_requeue(self, step: int) -> bool:
        """Whether queueing the job again can lead further: this start got on, and it is not the last."""
        return step > self._first and len(self._of_this_job()) < RESTARTS

    def check(self) -> None:
        """End a job that Slurm starts over and over.

        Raises:
            HopelessRun: as many restarts as ``FRUITLESS`` began at the same step.
        """
        last = self._of_this_job()[-FRUITLESS:]
        if len(last) == FRUITLESS and all(e["first_step"] == self._first for e in last):
            raise HopelessRun(
                f"{FRUITLESS} restarts of Slurm job {self._job} began at step {self._first} and none "
                "reached a checkpoint; see the job's log, lower checkpoint_every or ask for more "
                "resources, then submit again"
            )

    def note(self, step: int) -> None:
        """Replace this start's entry; every rank must call it."""
        wall = time.perf_counter() - self._wall
        cpu = torch.tensor(time.process_time() - self._cpu, dtype=torch.float64)
        cuda = self._world.device.type == "cuda"
        self._entry = {
            "started": self._began,
            "noted": _now(),
            "job": self._job,
            "first_step": self._first,
            "last_step": step,
            "wall_seconds": wall,
            "cpu_seconds": float(self._world.total(cpu)),
            "gpu_seconds": wall * self._world.size if cuda else 0.0,
            "peak_memory_bytes": peak_memory(self._world.device),
        }
        if self._path and self._world.main:
            # Renamed but not flushed to disk: a kill leaves it whole, and waiting would cost a step.
            temporary = self._path.with_name(f".{self._path.name}")
            temporary.write_text(json.dumps([*self._earlier, self._entry], indent=1))
            os.replace(temporary, self._path)

    def total(self, step: int) -> dict[str, Any]:
        """Sums over all starts. A killed start counts up to its last log row.

        CPU seconds over all ranks; GPU hours as GPUs held, not as GPUs busy; peak memory (bytes) of
        the rank that writes, the largest of all starts.
        """
        self.note(step)
        entries = [*self._earlier, self._entry]
        total = {
            key: sum(e[key] for e in entries) for key in ("wall_seconds", "cpu_seconds", "gpu_seconds")
        }
        return {
            "started": entries[0]["started"],
            "finished": self._entry["noted"],
            "restarts": len(self._earlier),
            "wall_seconds": total["wall_seconds"],
            "cpu_seconds": total["cpu_seconds"],
            "gpu_hours": total["gpu_seconds"] / 3600,
            "peak_memory_bytes": max(e["peak_memory_bytes"] for e in entries),
            "starts": entries,
        }


def peak_memory(device: torch.device) -> int:
    """Most bytes this process has held on ``device`` (CPU: resident) so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # macOS counts bytes, others KiB


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):  # the latter after a power cut
        return []


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
