"""How far the shape of an embedding cloud is from an isotropic normal one, whatever its scale.

SIGReg (LeJEPA, Balestriero & LeCun 2025) measures random projections with the Epps-Pulley statistic
T = n int |phi(t) - exp(-t^2/2)|^2 exp(-t^2/2) dt, phi the empirical characteristic function. As a
number of health it is used over what a normal sample of the same n and D gives.

Shapes: n rows, D dimensions, S directions.
"""

import numpy as np

from .. import draws
from .moments import ROUNDING

T = np.linspace(0, 3, 17)  # integration points; the negative half is the mirror image
NORMAL = np.exp(-(T**2) / 2)


def epps_pulley(rows: np.ndarray, directions_DS: np.ndarray, block: int = 2048) -> float:
    """Mean over unit directions of T against N(0, 1); rows (n, D) are taken as they are."""
    total = np.zeros((directions_DS.shape[1], len(T)), complex)
    for a in range(0, len(rows), block):
        # exp(i t_k x) is a power of exp(i t_1 x): one exponential instead of 17
        turn = np.exp(1j * T[1] * (np.asarray(rows[a : a + block], np.float64) @ directions_DS))
        power = np.ones_like(turn)
        for k in range(len(T)):
            total[:, k] += power.sum(0)
            power *= turn
    error = np.abs(total / len(rows) - NORMAL) ** 2
    return float(2 * len(rows) * np.trapezoid(error * NORMAL, T).mean())


def null_mean(dim: int) -> float:
    """Mean of T over normal samples that were centred and divided by one standard deviation.

    From the covariance of the empirical characteristic function with estimated mean and variance
    (Epps & Pulley 1983), the variance pooled over D dimensions: n E|phi - exp(-t^2/2)|^2 =
    1 - exp(-t^2) (1 + t^2 + t^4 / (2 D)), up to terms of order 1 / n.
    """
    variance = 1 - NORMAL**2 * (1 + T**2 + T**4 / (2 * dim))
    return float(2 * np.trapezoid(variance * NORMAL, T))


def sigreg_ratio(rows: np.ndarray, directions: int = 256, seed: int = 0) -> float:
    """T of centred rows (n, D) over the root mean square of their stds, over its mean for normal rows.

    1 = isotropic normal, at any n, scale and mean; else it grows with n, so compare at equal n. One
    scale for all dimensions: it sees few directions carrying the variance, clusters and heavy tails,
    and equal rows; it does not see that all dimensions shrink or grow alike.
    """
    rows = np.asarray(rows, np.float64)
    centred = rows - rows.mean(0)
    scale = np.sqrt((centred**2).sum() / max(len(rows) - 1, 1) / rows.shape[1])
    flat = scale <= ROUNDING * np.sqrt((rows**2).mean())
    u = draws.generator(seed, "sigreg directions").standard_normal((rows.shape[1], directions))
    u /= np.linalg.norm(u, axis=0)
    return epps_pulley(centred * 0 if flat else centred / scale, u) / null_mean(rows.shape[1])
