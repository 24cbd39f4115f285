"""What training costs: parameters, operations and memory of a step, the peak speed of the device."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..config import JepaRun
from ..model.jepa import Jepa
from . import flops, memory
from .distributed import World
from .precision import Precision


@dataclass(frozen=True)
class StepCost:
    """flops: forward and backward operations of an optimizer step, over all ranks. shares: of the parts
    of the module in them. memory_bytes: of one process. peak_flops: FLOP/s of one device, and
    peak_source, how that was obtained."""

    flops: int
    shares: dict[str, float]
    memory_bytes: int
    peak_flops: float
    peak_source: str


def step_cost(
    jepa: Jepa, batch: tuple[Tensor, ...], train: JepaRun, precision: Precision, world: World
) -> StepCost:
    """Measured on two and four samples of ``batch``: operations and activations grow with them."""

    def loss(n: int) -> Tensor:
        some = [number % len(batch[0]) for number in range(n)]
        with precision.autocast():
            views = jepa(*(part[some] for part in batch))
        return jepa.loss(views, alone=True)[0]

    of_two, shares = flops.count(jepa, lambda: loss(2))
    count = of_two * train.batch_size // 2
    needed = memory.predicted(jepa, loss, train, world.size)
    return StepCost(count, shares, needed, *flops.peak(world.device, precision.name, train.tf32))


def facts(
    train: JepaRun, jepa: Jepa, samples: int, world: World, precision: Precision, cost: StepCost
) -> dict[str, Any]:
    """What summary.json says of the size of a run on ``samples`` training samples."""
    parts = (("encoder", jepa.encoder), ("predictor", jepa.predictor))
    return {
        "steps": train.steps,
        "epochs": train.steps * train.batch_size / samples,
        "parameters": {
            name: sum(p.numel() for p in part.parameters()) if part else 0 for name, part in parts
        },
        "flops_per_step": cost.flops,
        "ranks": world.size,
        "device": str(world.device),
        "precision": precision.name,
    }
