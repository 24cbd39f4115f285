"""What replicates of the same perturbation score: no model can be asked for more.

Shapes: n test cells, P test perturbations, G genes.
"""

from collections.abc import Callable

import numpy as np

from .... import draws
from .pseudobulk import Expression, group_means

Score = Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]


def split_half(
    expression: Expression, codes: np.ndarray, perturbations: int, score: Score, repeats: int, seed: int
) -> dict[str, np.ndarray]:
    """Metrics of one half of each perturbation's test cells as prediction of the other half.

    Args:
        expression: test cells (n, G), dense or CSR.
        codes: int (n,), each cell's test perturbation, negative = left out.
        score: (predicted, observed) -> metrics by name, each (P,); evaluate with its references.
        repeats: random halvings, averaged.

    Returns:
        name -> float64 (P,), NaN for perturbations with fewer than two cells. Both halves have the
        noise of half the cells: see attainable.
    """

    def once(number: int) -> dict[str, np.ndarray]:
        second = _second_halves(codes, draws.generator(seed, "split half", number))
        halves = [np.where((codes >= 0) & (second == side), codes, -1) for side in (False, True)]
        return score(*(group_means(expression, half, perturbations) for half in halves))

    return _mean_over_repeats([once(number) for number in range(repeats)])


def attainable(halves: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a prediction without noise would score against the mean of *all* test cells.

    From the split-half values: a correlation or cosine r of halves becomes sqrt(2 r / (1 + r))
    (Spearman 1910, Brown 1910, and the attenuation formula), the squared error of halves is four
    times, its root twice, the error of the whole mean. Other metrics have no such formula and stay at
    their split-half value, which is below what is attainable.
    """
    return {name: _WITHOUT_NOISE.get(name, _same)(values) for name, values in halves.items()}


def _second_halves(codes: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """bool (n,): each cell's half; within a code the halves differ by at most one cell."""
    order = generator.permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    first = np.searchsorted(codes[order], codes[order])
    second = np.empty(len(codes), dtype=bool)
    second[order] = (np.arange(len(codes)) - first) % 2 == 1
    return second


def _mean_over_repeats(results: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Mean of each perturbation's values over the repeats where it is defined, else NaN."""
    means = {}
    for name in results[0]:
        values = np.stack([result[name] for result in results])
        defined = ~np.isnan(values)
        counts = defined.sum(0)
        means[name] = np.where(defined, values, 0).sum(0) / np.where(counts > 0, counts, np.nan)
    return means


def _from_correlation(r: np.ndarray) -> np.ndarray:
    r = r.clip(0)
    return np.sqrt(2 * r / (1 + r))


def _same(values: np.ndarray) -> np.ndarray:
    return values


_WITHOUT_NOISE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "pearson_delta": _from_correlation,
    "pearson_delta_perturbed": _from_correlation,
    "cosine_delta": _from_correlation,
    "l2": lambda values: values / 2,
    "mse": lambda values: values / 4,
}
