"""VICReg: predict the same encoder, kept from collapse by variance and covariance terms (Bardes et al.
2022).

Shapes: R rows of any kind, D width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...config import Objective
from .terms import Term, Views, full


def invariance(views: Views, objective: Objective) -> list[Term]:
    """Weighted mean squared error of the prediction; VICReg's invariance term."""
    error = full(views.prediction) - full(views.target)
    return [Term("invariance", error.square().mean(), objective.invariance)]


def spread(rows: list[tuple[Tensor, ...]], objective: Objective) -> list[Term]:
    """Variance and covariance terms, each the mean over kinds of rows.

    Args:
        rows: by kind of rows those of every branch, (R, D) each.
    """
    kinds = [regularisation(branches, objective.gamma, objective.eps) for branches in rows]
    variance, covariance = (torch.stack(term).mean() for term in zip(*kinds, strict=True))
    return [
        Term("variance", variance, objective.variance),
        Term("covariance", covariance, objective.covariance),
    ]


def variance_loss(x_RD: Tensor, gamma: float = 1.0, eps: float = 1e-4) -> Tensor:
    """VICReg v(Z) = 1/D sum_d max(0, gamma - sqrt(Var(z_d) + eps)) (Bardes et al. 2022, eq. 1-2).

    Var is the unbiased variance over the R rows.
    """
    std = torch.sqrt(full(x_RD).var(dim=0) + eps)
    return F.relu(gamma - std).mean()


def covariance_loss(x_RD: Tensor) -> Tensor:
    """VICReg c(Z) = 1/D sum_{i != j} C_ij^2, C = Zc^T Zc / (R - 1) (Bardes et al. 2022, eq. 3-4)."""
    x_RD = full(x_RD)
    centred = x_RD - x_RD.mean(dim=0)
    cov_DD = centred.T @ centred / (len(x_RD) - 1)
    return (cov_DD.square().sum() - cov_DD.diagonal().square().sum()) / x_RD.shape[1]


def regularisation(
    rows: tuple[Tensor, ...], gamma: float = 1.0, eps: float = 1e-4
) -> tuple[Tensor, Tensor]:
    """Variance and covariance terms, averaged and summed over row sets as VICReg does for branches.

    VICReg takes the mean of the two branches' variance terms and the sum of their covariance terms.
    """
    variance = torch.stack([variance_loss(x, gamma, eps) for x in rows]).mean()
    covariance = torch.stack([covariance_loss(x) for x in rows]).sum()
    return variance, covariance
