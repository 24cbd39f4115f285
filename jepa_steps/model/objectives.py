"""JEPA objectives: pure functions of tensors, one per published formula.

``statistics`` arguments say over which rows variance and covariance are taken; under several
ranks the caller passes the gathered, global batch.

Shapes: B samples, K kept tokens, R rows of any kind, D width, S directions, T integration points.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .. import draws


def full(x: Tensor) -> Tensor:
    """float32 of a half-precision tensor; float32 and float64 as they are."""
    return x if x.dtype == torch.float64 else x.float()


def ema_target_loss(prediction: Tensor, target: Tensor, kind: str = "smooth_l1") -> Tensor:
    """Distance to the layer-normed embedding of a stop-gradient target encoder (I-JEPA, V-JEPA).

    Args:
        prediction, target: (..., D), same shape; the target gets no gradient.
        kind: "smooth_l1" (beta 1, the released I-JEPA code) or "l2" (the paper's text).

    Returns:
        scalar float32, mean over all elements.
    """
    target = F.layer_norm(full(target.detach()), target.shape[-1:])
    distance = F.smooth_l1_loss if kind == "smooth_l1" else F.mse_loss
    return distance(full(prediction), target)


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


def between_sample_rows(tokens_BKD: Tensor, index_BK: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """What varies between samples: position-centred tokens (B*K, D) and pooled embeddings (B, D).

    Statistics over plain flattened tokens are satisfied by an encoder that codes position only;
    removing each position's mean over the batch takes that solution away.

    Args:
        tokens_BKD: embeddings of the K tokens that each sample kept.
        index_BK: int64 positions of those tokens in the grid of ``n`` tokens.
    """
    D = tokens_BKD.shape[-1]
    flat, index = full(tokens_BKD).reshape(-1, D), index_BK.reshape(-1)
    count = flat.new_zeros(n).index_add(0, index, torch.ones_like(flat[:, 0]))
    mean_ND = flat.new_zeros(n, D).index_add(0, index, flat)
    mean_ND = mean_ND / count.clamp(min=1)[:, None]
    return flat - mean_ND[index], full(tokens_BKD).mean(dim=1)


def regularisation(
    rows: tuple[Tensor, ...], gamma: float = 1.0, eps: float = 1e-4
) -> tuple[Tensor, Tensor]:
    """Variance and covariance terms, averaged and summed over row sets as VICReg does for branches.

    VICReg takes the mean of the two branches' variance terms and the sum of their covariance terms.
    """
    variance = torch.stack([variance_loss(x, gamma, eps) for x in rows]).mean()
    covariance = torch.stack([covariance_loss(x) for x in rows]).sum()
    return variance, covariance


def sigreg_loss(x_RD: Tensor, directions_DS: Tensor) -> Tensor:
    """SIGReg: distance of random projections from a standard normal (LeJEPA, Balestriero & LeCun 2025).

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
