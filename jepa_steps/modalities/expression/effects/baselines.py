"""Predictions without a model: what any model has to beat.

Each takes the training table, the test conditions and their contexts, and returns mean expression
float64 (P, G): the context's control mean plus an effect. An effect not measured in the test context
is the mean over the contexts where it was; one measured nowhere is the context's mean effect.

Shapes: P test conditions, G genes, T training perturbations, B batches, k embedding dimensions.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from .... import draws
from ....errors import InputError
from .pseudobulk import Condition, TrainingTable

Baseline = Callable[[TrainingTable, Sequence[Condition], Sequence[str]], np.ndarray]


def no_change(
    table: TrainingTable, conditions: Sequence[Condition], contexts: Sequence[str]
) -> np.ndarray:
    """The control mean of the context."""
    return table.control_of(contexts)


def perturbed_mean(
    table: TrainingTable, conditions: Sequence[Condition], contexts: Sequence[str]
) -> np.ndarray:
    """Mean over the context's training perturbations of their means ("non-control mean", Systema).

    Every perturbation counts once, whatever its number of cells. It is also the reference of
    Pearson-delta with perturbed reference.
    """
    return table.control_of(contexts) + np.stack([table.mean_delta(c) for c in contexts])


def look_up(
    table: TrainingTable, conditions: Sequence[Condition], contexts: Sequence[str]
) -> np.ndarray:
    """The same perturbation's training mean, or its effect in other contexts.

    Where a split leaks (random cells) this is hard to beat; for unseen contexts it is the baseline.
    """
    return _predict(table, conditions, contexts, lambda c, k: _known(table, c, k))


def matching_mean(
    table: TrainingTable, conditions: Sequence[Condition], contexts: Sequence[str]
) -> np.ndarray:
    """Mean over the condition's genes of their single-gene means (Systema, Viñas Torné et al. 2025).

    A gene without a measured single counts as the perturbed mean. Other training perturbations of the
    gene are not used: that is sharing_mean.
    """
    return _predict(
        table, conditions, contexts, lambda c, k: np.mean([_known(table, (g,), k) for g in c], axis=0)
    )


def sharing_mean(
    table: TrainingTable, conditions: Sequence[Condition], contexts: Sequence[str]
) -> np.ndarray:
    """Mean effect of all training perturbations, singles or combinations, that share a gene.

    Those of the context, else of other contexts, else the mean effect. Where whole conditions are held
    out and their genes are not, this is the one to beat.
    """
    sets, names = [set(c) for c in table.conditions], np.asarray(table.contexts)

    def effect(condition: Condition, context: str) -> np.ndarray:
        shared = np.array([not s.isdisjoint(condition) for s in sets])
        inside = shared & (names == context)
        rows = inside if inside.any() else shared
        return table.deltas[rows].mean(0) if rows.any() else table.mean_delta(context)

    return _predict(table, conditions, contexts, effect)


def additive(
    table: TrainingTable, conditions: Sequence[Condition], contexts: Sequence[str]
) -> np.ndarray:
    """Control plus the sum of single-gene effects (Ahlmann-Eltze, Huber & Anders 2025).

    A gene without a measured single contributes the mean effect of training, not 0: with 0 an unseen
    single would be "no change", whose Pearson-delta is undefined. (The anchors of
    benchmarks/perturbation_baselines.py need the mean: unseen perturbations, discrimination .544; with
    0 it is .531.)
    """
    return _predict(
        table, conditions, contexts, lambda c, k: np.sum([_known(table, (g,), k) for g in c], axis=0)
    )


def ridge(
    table: TrainingTable,
    conditions: Sequence[Condition],
    contexts: Sequence[str],
    features: dict[str, np.ndarray] | None = None,
    dims: int = 10,
    penalty: float = 0.1,
) -> np.ndarray:
    """Bilinear ridge Y ~ A W B^T + b of Ahlmann-Eltze, Huber & Anders 2025.

    Y (G, T) are training effects, b the context's mean effect, A (G, k) the principal components of
    the genes over the training means, a condition's row of B (T, k') the sum of its genes' features.
    W = (A'A + penalty)^-1 A' (Y - b) B (B'B + penalty)^-1. They count the control as a training
    column with effect 0; here it is none.

    Args:
        features: perturbed gene -> (k',): gene_components for their training-data embedding, or one
            from other data, which says something of unseen genes, too. Default: indicators of the
            training genes, a shrunken additive model fitted on singles and combinations together.
        dims, penalty: k and the ridge strength, their defaults.

    A gene without features contributes nothing: a condition of such genes gets the mean effect. So do
    all where no training perturbation has features.
    """
    if features is None:
        genes = sorted({gene for c in table.conditions for gene in c})
        features = dict(zip(genes, np.eye(len(genes)), strict=True))
    width = len(next(iter(features.values()), ()))
    rows = [i for i, c in enumerate(table.conditions) if all(g in features for g in c)]
    a = _components(table.means.T, dims)
    b = _stack([_features(table.conditions[i], features, width) for i in rows], width)
    y = _stack([table.deltas[i] - table.mean_delta(table.contexts[i]) for i in rows], len(a))
    left = np.linalg.solve(a.T @ a + penalty * np.eye(a.shape[1]), a.T @ y.T)
    w = np.linalg.solve(b.T @ b + penalty * np.eye(width), (left @ b).T).T
    test = _stack([_features(c, features, width) for c in conditions], width)
    return perturbed_mean(table, conditions, contexts) + test @ w.T @ a.T


def gene_components(table: TrainingTable, genes: Sequence[str], dims: int = 10) -> dict[str, np.ndarray]:
    """Gene -> its scores (k,) on the principal components of the training means, for ridge.

    Args:
        genes: names of the G columns. Perturbed genes that are no column have no features.
    """
    if len(genes) != table.means.shape[1]:
        raise InputError(
            f"gene components: found {len(genes)} gene names, expected {table.means.shape[1]}, one a "
            "column"
        )
    return dict(zip(genes, _components(table.means.T, dims), strict=True))


BASELINES: dict[str, Baseline] = {
    "no_change": no_change,
    "perturbed_mean": perturbed_mean,
    "look_up": look_up,
    "matching_mean": matching_mean,
    "sharing_mean": sharing_mean,
    "additive": additive,
    "ridge": ridge,
}


def batch_only(batch_means: np.ndarray, composition: np.ndarray, fallback: np.ndarray) -> np.ndarray:
    """What the batches of a perturbation's cells alone predict: high scores mean confounding.

    Args:
        batch_means: mean of the perturbed training cells of each batch (B, G), NaN where none.
        composition: cells of each test perturbation in each batch (P, B).
        fallback: (P, G), used where none of the batches has a mean, e.g. the perturbed mean.

    Returns:
        float64 (P, G), batch means weighted by the cells.
    """
    known = np.isfinite(batch_means).all(1)
    weights = composition[:, known].astype(np.float64)
    total = weights.sum(1, keepdims=True)
    means = weights @ batch_means[known] / np.where(total > 0, total, 1)
    return np.where(total > 0, means, fallback)


def shuffled(table: TrainingTable, seed: int) -> TrainingTable:
    """The table with conditions permuted within each context: what is left of a baseline on it (say,
    additive) owes nothing to the labels."""
    conditions = list(table.conditions)
    names = np.asarray(table.contexts)
    for number, context in enumerate(dict.fromkeys(table.contexts)):
        rows = np.flatnonzero(names == context)
        order = draws.generator(seed, "label shuffle", number).permutation(rows)
        for row, source in zip(rows, order, strict=True):
            conditions[row] = table.conditions[source]
    return replace(table, conditions=tuple(conditions))


def _known(table: TrainingTable, condition: Condition, context: str) -> np.ndarray:
    delta = table.delta(condition, context)
    return table.mean_delta(context) if delta is None else delta


def _predict(
    table: TrainingTable,
    conditions: Sequence[Condition],
    contexts: Sequence[str],
    effect: Callable[[Condition, str], np.ndarray],
) -> np.ndarray:
    effects = [effect(c, k) for c, k in zip(conditions, contexts, strict=True)]
    return table.control_of(contexts) + np.stack(effects)


def _components(expression: np.ndarray, dims: int) -> np.ndarray:
    """Scores (G, k) of genes on the principal components of expression (G, T)."""
    u, s, _ = np.linalg.svd(expression - expression.mean(0), full_matrices=False)
    return u[:, :dims] * s[:dims]


def _features(condition: Condition, features: dict[str, np.ndarray], width: int) -> np.ndarray:
    return np.sum([features[g] for g in condition if g in features], axis=0) + np.zeros(width)


def _stack(rows: list[np.ndarray], width: int) -> np.ndarray:
    return np.array(rows, dtype=np.float64).reshape(len(rows), width)
