"""Statistics of embeddings that tell collapse from health.

Shapes: S samples, N tokens, n rows, D dimensions.
"""

import numpy as np

from ..arrays import Rows
from .moments import Moments, TokenMoments, moments


def row_statistics(rows: np.ndarray) -> dict[str, float | int]:
    """Norms of rows (n, D), and what their moments tell."""
    return {**norms(rows), **moment_statistics(moments(rows))}


def norms(rows: np.ndarray | Rows) -> dict[str, float]:
    """Mean and standard deviation of the norms of rows (n, D), read in blocks."""
    blocks = (np.asarray(rows[a : a + 4096], np.float64) for a in range(0, len(rows), 4096))
    found = np.concatenate([np.linalg.norm(block, axis=1) for block in blocks])
    return {"mean_norm": float(found.mean()), "std_norm": float(found.std())}


def moment_statistics(m: Moments) -> dict[str, float | int]:
    """Spread and correlation of rows, from their moments.

    relative_spread: root mean square distance from the mean row over the root mean square norm;
    0 = all rows equal, 1 = no common component. dead_share: dimensions whose std is below a tenth
    of the median std (all of them if that is 0). Correlations leave out constant dimensions.
    variance_term, covariance_term: VICReg's of the rows as they are (Bardes et al. 2022, gamma 1):
    mean over dimensions of max(0, 1 - std), and squared covariances of different dimensions over D.
    """
    std, variance = m.std, float(np.trace(m.scatter)) / m.n
    energy, covariance = variance + float((m.mean**2).sum()), m.covariance
    return {
        "n": m.n,
        "rms_norm": float(np.sqrt(energy)),
        "mean_abs_mean": float(np.abs(m.mean).mean()),
        "mean_std": float(std.mean()),
        "min_std": float(std.min()),
        "relative_spread": float(np.sqrt(variance / energy)) if energy > 0 else 0.0,
        "dead_share": float((std <= 0.1 * np.median(std)).mean()),
        "variance_term": float((1 - std).clip(min=0).mean()),
        "covariance_term": float(
            ((covariance**2).sum() - (np.diagonal(covariance) ** 2).sum()) / len(std)
        ),
        **correlation_summary(m),
    }


def correlation_summary(m: Moments) -> dict[str, float]:
    """Of the absolute correlations between different dimensions the mean, the largest, and the share
    above .9; 0 if fewer than 2 vary."""
    r = np.abs(m.correlation)
    alive = np.diagonal(r) > 0
    off = r[np.ix_(alive, alive)][~np.eye(alive.sum(), dtype=bool)]
    if not len(off):
        off = np.zeros(1)
    return {
        "mean_abs_correlation": float(off.mean()),
        "max_abs_correlation": float(off.max()),
        "high_correlation_share": float((off > 0.9).mean()),
    }


def token_statistics(m: TokenMoments) -> dict[str, float | int]:
    """Where the token variance lies, as shares of the total around the grand mean.

    position_share: explained by the token's position alone (variance of the N position means).
    sample_share: explained by the sample alone (variance of the S sample means); 1 - sample_share
    lies within samples. An encoder that ignores its input has a position share of 1.
    """
    total = float(np.trace(m.tokens.scatter)) / m.tokens.n
    result = {"n": m.tokens.n, "samples": m.pooled.n, "total_variance": total}
    if total <= 1e-24 * float((m.tokens.mean**2).sum()):
        return {**result, "position_share": 0.0, "sample_share": 0.0}
    position = ((m.position_mean - m.tokens.mean) ** 2).sum() / len(m.position_mean)
    sample = np.trace(m.pooled.scatter) / m.pooled.n
    return {
        **result,
        "position_share": float(position / total),
        "sample_share": float(sample / total),
    }
