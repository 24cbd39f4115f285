"""What chance leaves of a result: intervals over test groups and seeds, and paired comparisons.

Test samples of one group (one donor, one scene) rise and fall together, so groups are what is
resampled; where every sample is its own group this is the plain bootstrap.

Shapes: m test samples, G groups, S seeds, R resamples, K measures.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import stats
from scipy.special import ndtr, stdtrit

from .. import draws
from ..data.splits import FEWEST_GROUPS
from ..files import read_table

SIGNIFICANCE = 0.05
_BLOCK = 2**23  # draws of groups held at once: 64 MB


def _sums(values: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(sums (K, G) of values (K, m) over groups, sizes (G,) of the groups)."""
    codes = np.unique(groups, return_inverse=True)[1]
    return np.stack([np.bincount(codes, row) for row in values]), np.bincount(codes)


def _resampled(sums: np.ndarray, sizes: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Means (R, K) over the samples of G groups drawn with replacement, in blocks of resamples."""
    blocks = _blocks(_multiplicities, len(sizes), resamples, "bootstrap", seed)
    return np.concatenate([times @ sums.T / (times @ sizes)[:, None] for times in blocks])


def _blocks(
    draw: Callable[[np.random.Generator, int, int], np.ndarray],
    groups: int,
    n: int,
    purpose: str,
    seed: int,
) -> Iterable[np.ndarray]:
    """``n`` draws over groups in blocks; those that fit into one are kept for the next comparison, of
    which a report has hundreds on the same test samples."""
    if n * groups <= _BLOCK:
        return [_kept(draw, groups, n, purpose, seed)]
    generator, step = draws.generator(seed, purpose), max(1, _BLOCK // groups)
    return (draw(generator, min(step, n - a), groups) for a in range(0, n, step))


@lru_cache(maxsize=4)
def _kept(draw: Callable, groups: int, n: int, purpose: str, seed: int) -> np.ndarray:
    return draw(draws.generator(seed, purpose), n, groups)


def _multiplicities(generator: np.random.Generator, n: int, groups: int) -> np.ndarray:
    """How often each group was drawn, float64 (n, G)."""
    drawn = generator.integers(0, groups, (n, groups)) + groups * np.arange(n)[:, None]
    return np.bincount(drawn.ravel(), minlength=n * groups).reshape(n, groups).astype(np.float64)


def _signs(generator: np.random.Generator, n: int, groups: int) -> np.ndarray:
    """-1 or 1, float64 (n, G)."""
    return 2.0 * generator.integers(0, 2, (n, groups), dtype=np.int8) - 1


def _percentiles(means: np.ndarray, groups: int) -> np.ndarray:
    """Expanded 95 % percentile interval of resampled means (R, K): (K, 2).

    Widened for few groups, whose resamples are too narrow by sqrt(1 - 1/G) and have normal rather
    than t tails (Hesterberg 2015, "What teachers should know about the bootstrap"). One group says
    nothing: infinite.
    """
    if groups < 2:
        return np.tile([-np.inf, np.inf], (means.shape[1], 1))
    tail = ndtr(-np.sqrt(groups / (groups - 1)) * stdtrit(groups - 1, 0.975))
    return np.quantile(means, [tail, 1 - tail], axis=0).T


def units_of(groups: np.ndarray) -> np.ndarray:
    """What is resampled for an interval: the groups int64 (m,), or the m samples within them where the
    groups are too few. Such an interval holds for these groups only."""
    return groups if len(np.unique(groups)) >= FEWEST_GROUPS else np.arange(len(groups))


def intervals(values: np.ndarray, groups: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """95 % intervals of the means of per-sample values, resampling test groups.

    Args:
        values: float (K, m), K measures of the same samples; a few-label probe's is each sample's
            mean over draws.
        groups: int64 (m,).

    Returns:
        float64 (K, 2): cluster bootstrap, expanded percentiles. Infinite with one group.
    """
    sums, sizes = _sums(values, groups)
    return _percentiles(_resampled(sums, sizes, resamples, seed), len(sizes))


def r2_interval(
    off: np.ndarray, y: np.ndarray, groups: np.ndarray, resamples: int, seed: int
) -> np.ndarray:
    """95 % interval of R2 from squared errors and targets (m,), resampling test groups as ``intervals``
    does; each resample is measured against its own variance: float64 (2,)."""
    y = y - y.mean()
    sums, sizes = _sums(np.stack([off, y, y**2]), groups)
    error, mean, square = _resampled(sums, sizes, resamples, seed).T
    variance = square - mean**2
    found = 1 - error / np.where(variance > 0, variance, np.nan)
    return _percentiles(found[~np.isnan(found), None], len(sizes))[0]


def over_seeds(values: Sequence[float]) -> list[float]:
    """95 % t interval of the mean over seeds; infinite with one seed."""
    n = len(values)
    if n < 2:
        return [-np.inf, np.inf]
    half = stdtrit(n - 1, 0.975) * np.std(values, ddof=1) / np.sqrt(n)
    return [float(np.mean(values) - half), float(np.mean(values) + half)]


def paired(
    a: Sequence[np.ndarray],
    b: Sequence[np.ndarray],
    groups: np.ndarray,
    resamples: int = 2000,
    flips: int = 10_000,
    seed: int = 0,
) -> dict[str, float | int | None]:
    """Difference a - b of two experiments' accuracies on the same test samples, in points.

    Args:
        a, b: one float array (m,) a seed: per test sample 1 = right, 0 = wrong, or a mean of such.
        groups: int64 (m,).

    Returns:
        points, low, high: mean difference and its two-level 95 % bootstrap interval: what ``units_of``
        names is resampled, and to each resample comes a draw of the error of each side's mean over
        seeds, by its t distribution, as a handful of seeds is too few to resample. One seed adds none.
        low and high are None where every difference is possible.
        p: two-sided, of the null that the sign of each group's difference is arbitrary, exact
        for few groups, else by ``flips`` random sign flips (``sign_flip``).
        n, groups: test samples and groups. within: whether the interval is of samples within groups.
    """
    units = units_of(groups)
    (sums_a, sizes), (sums_b, _) = _sums(np.stack(a), units), _sums(np.stack(b), units)
    difference, m = sums_a.mean(0) - sums_b.mean(0), sizes.sum()
    by_group = difference if units is groups else _sums(difference[None], groups)[0][0]
    means = _resampled(difference[None], sizes, resamples, seed)[:, 0]
    generator = draws.generator(seed, "bootstrap seeds")
    for by_seed in (sums_a.sum(1) / m, sums_b.sum(1) / m):
        n = len(by_seed)
        if n > 1:
            error = np.std(by_seed, ddof=1) / np.sqrt(n)
            means = means + error * generator.standard_t(n - 1, resamples)
    low, high = (100 * _percentiles(means[:, None], len(sizes))[0].clip(-1, 1)).tolist()
    none = (low, high) == (-100, 100)
    return {
        "points": 100 * float(difference.sum() / m),
        "low": None if none else low,
        "high": None if none else high,
        "p": sign_flip(by_group, seed, flips),
        "n": int(m),
        "groups": len(by_group),
        "within": len(by_group) < len(sizes),
    }


def sign_flip(sums: np.ndarray, seed: int, flips: int = 10_000) -> float:
    """Two-sided p of the null that the sign of each group's difference is arbitrary (Fisher 1935).

    Exact where there are at most ``flips`` sign patterns, by random ones otherwise.

    Args:
        sums: float64 (G,), a difference per group. 1 where there is one group, or no difference.
    """
    if len(sums) < 2 or not sums.any():
        return 1.0
    if 2 ** len(sums) <= flips:
        exact = stats.permutation_test(
            (sums,),
            lambda x, axis: x.sum(axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=flips,
        )
        return float(exact.pvalue)
    observed = abs(sums.sum()) * (1 - 1e-12)
    blocks = _blocks(_signs, len(sums), flips, "sign flips", seed)
    count = sum(int((np.abs(signs @ sums) >= observed).sum()) for signs in blocks)
    return (count + 1) / (flips + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted for their number, in the same order (Holm 1979): step-down Bonferroni."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1)
    return adjusted.tolist()


def how_many(n: int, what: str) -> str:
    """A number of things: 1 batch, 2 batches, 3 groups, 2 series, 3 stretches of 24 steps."""
    word, of, rest = what.partition(" of ")
    if n != 1 and not word.endswith("ies"):
        word += "es" if word.endswith(("ch", "s")) else "s"
    return f"{n} {word}{of}{rest}"


def verdict(low: float | None, high: float | None, adjusted_p: float, groups: int) -> str:
    """beats or below where the interval excludes 0 and the adjusted p is below 0.05; ties where neither
    holds; undecided where only one does, or where fewer than ``FEWEST_GROUPS`` groups were tested."""
    if groups < FEWEST_GROUPS or low is None or high is None:
        return "undecided"
    decided, apart = adjusted_p < SIGNIFICANCE, low > 0 or high < 0
    if decided != apart:
        return "undecided"
    return "ties" if not apart else "beats" if low > 0 else "below"


def read_correct(path: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What a predictions.csv says of every test sample.

    Returns:
        by probe the share of right predictions, float64 (m,), draws averaged, NaN where the probe
        did not predict the sample; and the groups, int64 (m,).

    Raises:
        InputError: missing file or columns.
    """
    table = read_table(path, "index", "label", "group")
    label = np.array(table["label"])
    columns: dict[str, list[np.ndarray]] = {}
    for name, predicted in table.items():
        if name not in ("index", "label", "group"):
            hits = np.where(np.array(predicted) == label, 1.0, 0.0)
            hits[np.array(predicted) == ""] = np.nan
            columns.setdefault(name.split("_")[0], []).append(hits)
    groups = np.unique(table["group"], return_inverse=True)[1]
    return {name: np.mean(hits, axis=0) for name, hits in columns.items()}, groups.astype(np.int64)
