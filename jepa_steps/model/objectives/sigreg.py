"""SIGReg: predict the same encoder, pulled towards a standard normal (LeJEPA, Balestriero & LeCun 2025).

Shapes: R rows, D width, S directions, T integration points.
"""

import numpy as np
import torch
from torch import Tensor

from ... import draws
from ...config import Objective
from ...device import moved
from .terms import Term, Views, full


def invariance(views: Views, objective: Objective) -> list[Term]:
    """Mean squared error of the prediction, with the weight that sigreg leaves."""
    error = full(views.prediction) - full(views.target)
    return [Term("invariance", error.square().mean(), 1 - objective.sigreg)]


def normal(rows: list[tuple[Tensor, ...]], objective: Objective, seed: int, step: int) -> list[Term]:
    """Mean over kinds and branches; token rows weigh as much as pooled ones, one row per sample.

    Args:
        rows: by kind of rows those of every branch, (R, D) each; the last kind has one row per sample.
        seed, step: from which the directions are drawn.
    """
    pooled = rows[-1][0]
    directions = unit_directions(pooled.shape[1], objective.directions, seed, step)
    directions = moved(directions, pooled.device)
    terms = [sigreg_loss(x, directions) * (len(pooled) / len(x)) for kind in rows for x in kind]
    return [Term("sigreg", torch.stack(terms).mean(), objective.sigreg)]


def sigreg_loss(x_RD: Tensor, directions_DS: Tensor) -> Tensor:
    """Distance of random projections from a standard normal.

    Mean over directions of the Epps-Pulley statistic R * int |phi(t) - exp(-t^2/2)|^2 exp(-t^2/2) dt
    with the empirical characteristic function phi; trapezoid rule with 17 points on [0, 3], doubled
    for the negative half.

    Args:
        directions_DS: S unit vectors as columns.
    """
    t = torch.linspace(0, 3, 17, device=x_RD.device, dtype=full(x_RD).dtype)
    normal = torch.exp(-(t**2) / 2)
    angles_RST = (full(x_RD) @ directions_DS.to(t.dtype))[..., None] * t
    error_ST = (angles_RST.cos().mean(0) - normal).square() + angles_RST.sin().mean(0).square()
    return 2 * len(x_RD) * torch.trapezoid(error_ST * normal, t).mean()


def unit_directions(dim: int, count: int, seed: int, step: int) -> Tensor:
    """Random unit vectors (dim, count), float32; a function of the arguments only."""
    vectors = draws.generator(seed, "directions", step).standard_normal((dim, count))
    return torch.from_numpy((vectors / np.linalg.norm(vectors, axis=0)).astype(np.float32))
