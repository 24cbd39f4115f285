"""Statistics of embeddings that tell collapse from health.

Shapes: S samples, N tokens, n rows, D dimensions.
"""

import numpy as np

from .moments import Moments, moments


def row_statistics(rows: np.ndarray) -> dict[str, float | int]:
    """Spread, norms and correlation of rows (n, D).

    relative_spread: root mean square distance from the mean row over the root mean square norm;
    0 = all rows equal, 1 = no common component. dead_share: dimensions whose std is below a tenth
    of the median std (all of them if that is 0). Correlations leave out constant dimensions.
    """
    m = moments(rows)
    norms = np.concatenate(
        [np.linalg.norm(np.asarray(rows[a : a + 4096], np.float64), axis=1) for a in range(0, m.n, 4096)]
    )
    std, energy = m.std, float((norms**2).mean())
    variance = float(np.trace(m.scatter)) / m.n
    return {
        "n": m.n,
        "mean_norm": float(norms.mean()),
        "std_norm": float(norms.std()),
        "mean_std": float(std.mean()),
        "min_std": float(std.min()),
        "relative_spread": float(np.sqrt(variance / energy)) if energy > 0 else 0.0,
        "dead_share": float((std <= 0.1 * np.median(std)).mean()),
        **correlation_summary(m),
    }


def correlation_summary(m: Moments) -> dict[str, float]:
    """Mean and largest absolute correlation between different dimensions; 0 if fewer than 2 vary."""
    alive = m.std > 0
    if alive.sum() < 2:
        return {"mean_abs_correlation": 0.0, "max_abs_correlation": 0.0}
    covariance = m.covariance[np.ix_(alive, alive)]
    scale = m.std[alive]
    r = np.abs(covariance / np.outer(scale, scale))
    off = r[~np.eye(len(r), dtype=bool)]
    return {"mean_abs_correlation": float(off.mean()), "max_abs_correlation": float(off.max())}


def token_statistics(tokens_SND: np.ndarray) -> dict[str, float]:
    """Where the token variance lies, as shares of the total around the grand mean.

    position_share: explained by the token's position alone (variance of the N position means).
    sample_share: explained by the sample alone (variance of the S sample means).
    An encoder that ignores its input has a position share of 1.
    """
    x = np.asarray(tokens_SND, dtype=np.float64)
    grand = x.mean((0, 1))
    total = ((x - grand) ** 2).sum() / (x.shape[0] * x.shape[1])
    if total == 0:
        return {"position_share": 0.0, "sample_share": 0.0, "total_variance": 0.0}
    position = ((x.mean(0) - grand) ** 2).sum() / x.shape[1]
    sample = ((x.mean(1) - grand) ** 2).sum() / x.shape[0]
    return {
        "position_share": float(position / total),
        "sample_share": float(sample / total),
        "total_variance": float(total),
    }
