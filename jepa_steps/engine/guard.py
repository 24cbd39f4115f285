"""Stops a run that cannot recover: steps without a finite gradient, and a loss that diverges."""

import json
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..files import atomic_write

_REMEDY = "lower optimizer.lr, lengthen optimizer.warmup, or look at these samples"


class Guard:
    """Counts skipped steps and watches the loss.

    Args:
        folder: run folder, where ``bad-batches.json`` is written before training stops.
        skip_limit: skipped steps in a row that end the run.
        diverged: multiple of the first logged loss that ends the run.
    """

    def __init__(self, folder: Path, skip_limit: int, diverged: float):
        self._folder, self._limit, self._ratio = folder, skip_limit, diverged
        self.skipped, self.first = 0, 0.0
        self._row: list[dict] = []

    def state(self) -> dict[str, float]:
        """What a checkpoint keeps."""
        return {"skipped": self.skipped, "first": self.first}

    def load(self, state: dict[str, float]) -> None:
        """Take over what ``state`` gave."""
        self.skipped, self.first = int(state["skipped"]), state["first"]

    def stepped(self) -> None:
        """A step was made."""
        self._row = []

    def skip(self, step: int, loss: float, norm: float, samples: np.ndarray) -> None:
        """A step was not made because loss or gradient norm are not finite.

        Raises:
            InputError: ``skip_limit`` in a row; the batches are listed in ``bad-batches.json``.
        """
        self.skipped += 1
        self._row.append(
            {"step": step, "loss": repr(loss), "gradient_norm": repr(norm), "samples": samples.tolist()}
        )
        if len(self._row) >= self._limit:
            path = self._folder / "bad-batches.json"
            atomic_write(path, lambda temporary: temporary.write_text(json.dumps(self._row)))
            raise InputError(
                f"{len(self._row)} steps in a row before step {step + 1} gave no finite gradient "
                f"(loss {loss:g}, gradient norm {norm:g}); samples in {path}: {_REMEDY}"
            )

    def watch(self, step: int, loss: float) -> None:
        """Check the mean loss of a log interval.

        Raises:
            InputError: it exceeds ``diverged`` times the first interval's.
        """
        if self.first and loss > self._ratio * self.first:
            raise InputError(
                f"training diverged: loss {loss:g} at step {step} is over {self._ratio:g} times the "
                f"first logged one, {self.first:g}; lower optimizer.lr or lengthen optimizer.warmup"
            )
        self.first = self.first or loss
