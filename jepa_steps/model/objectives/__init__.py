"""JEPA objectives: pure functions of tensors, a file per paper; an objective is the sum of a few
terms."""

from collections.abc import Callable

from torch import Tensor

from ...config import Objective
from . import ema_target, sigreg, vicreg
from .terms import Term, Views

Rows = Callable[[], list[tuple[Tensor, ...]]]


def terms(views: Views, rows: Rows, objective: Objective, seed: int, step: int) -> list[Term]:
    """The weighted terms whose sum is the loss.

    Args:
        rows: gives, by kind, the rows of every branch that must vary between samples, over all ranks;
            called by objectives that couple samples only.
        seed, step: of random parts.
    """
    return _OBJECTIVES[objective.kind](views, rows, objective, seed, step)


_OBJECTIVES: dict[str, Callable[[Views, Rows, Objective, int, int], list[Term]]] = {
    "ema_target": lambda views, rows, o, seed, step: ema_target.prediction(views, o),
    "vicreg": lambda views, rows, o, seed, step: [
        *vicreg.invariance(views, o), *vicreg.spread(rows(), o)
    ],
    "ema_target+vicreg": lambda views, rows, o, seed, step: [  # C-JEPA, Mo & Tong 2024
        *ema_target.prediction(views, o), *vicreg.spread(rows(), o)
    ],
    "sigreg": lambda views, rows, o, seed, step: [
        *sigreg.invariance(views, o), *sigreg.normal(rows(), o, seed, step)
    ],
}  # fmt: skip
