"""Signs of life: what a step takes and when training will end, long before the first row of metrics."""

import time
from collections.abc import Callable
from typing import Any

from ..config import JepaRun
from ..config.predictor import sized
from .cost import StepCost

_SERIES = tuple(digit * 10**power for power in range(7) for digit in (1, 2, 5))
_DAY = 86_400
_SETTINGS = {
    "encoder": ("model",),
    "target_encoder": ("model",),
    "predictor": ("predictor",),
    "projector": ("objective.projector",),
}


class Pace:
    """The clock of the first steps of a start.

    Args:
        train: settings. cost: of a step. first: step where this start begins.
    """

    def __init__(self, train: JepaRun, cost: StepCost, first: int):
        self._train, self._cost, self._first = train, cost, first
        self._after_first, self._warned = None, False

    def lines(self, step: int, loss: Callable[[], float]) -> list[str]:
        """What to say after ``step``: at steps 1, 2, 5, 10, 20, 50, ... of this start, until the lines
        of metrics come as often; once a warning where the end is more than a day away."""
        made, now = step - self._first, time.perf_counter()
        if made == 1:  # may compile, allocate and read ahead: not what a step takes
            self._after_first = now
        if made not in _SERIES or made >= 10 * self._train.log_every:
            return []
        said = f"step {step}/{self._train.steps}: loss {loss():.4f}"
        if made < 2 or self._after_first is None:
            return [said]
        seconds = (now - self._after_first) / (made - 1)
        left = seconds * (self._train.steps - step)
        lines = [f"{said}, {_time(seconds)} a step, {_time(left)} left"]
        if left > _DAY and not self._warned and made >= 5:
            self._warned = True
            lines.append(f"warning: training will end in {_time(left)}; {self._dearest()}")
        return lines

    def _dearest(self) -> str:
        """The settings that cost most, with their share of the operations of a step."""
        parts = []
        for part, share in sorted(self._cost.shares.items(), key=lambda pair: -pair[1]):
            if share >= 0.1:
                names = ", ".join(_said(self._train, name) for name in _SETTINGS.get(part, ()))
                parts.append(f"{share:.0%} {part.replace('_', ' ')} ({names})")
        s = self._train
        return (
            f"what a step costs: {'; '.join(parts) or 'unknown'}; and there are steps {s.steps:,} of "
            f"batch_size {s.batch_size}. Fewer steps, a smaller model or a GPU make it shorter"
        )


def _said(train: JepaRun, name: str) -> str:
    """A setting, or the sizes in a block of settings, with their values."""
    value: Any = train
    for key in name.split("."):
        value = getattr(value, key, None)
    if hasattr(value, "dim"):
        value = sized(value, train.model) if name == "predictor" else value
        sizes = [f"{key} {getattr(value, key)}" for key in ("patch_size", "dim", "depth", "context")
                 if hasattr(value, key)]  # fmt: skip
        return f"{name}: {', '.join(sizes)}"
    return f"{name} {value}"


def _time(seconds: float) -> str:
    """Seconds with two digits, or the unit that fits."""
    for unit, length in (("days", _DAY), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
