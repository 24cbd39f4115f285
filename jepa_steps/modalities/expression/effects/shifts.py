"""Shifts of perturbations in an embedding space, refitted in closed form with the encoder frozen.

What a linear probe is to a classifier: an encoder's latents are left as they are, and the predictor
"a gene shifts all cells alike, the shifts of a combination add up" is fitted anew, by empirical Bayes,
so that neither steps nor learning rate decide how closely it fits. It works on any latents, trained or
not, and on expression itself: comparing the two says what the encoder is worth.

Shapes: n cells, D latent dimensions, M groups (a condition in a context), K contexts, V genes, F
features of a gene, k directions, P conditions asked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.special import softmax

from ....errors import InputError
from .pseudobulk import Condition, condition, group_means

# Prior variances, relative to a gene's own, of what every gene does and of what every perturbation does.
# Single perturbations cannot tell the two apart, and for combinations they differ.
_SHARED = ((0.0, 0.0), (0.1, 0.0), (1.0, 0.0), (0.0, 0.1), (0.0, 1.0))
_KNOWN = (0.0, 1.0, 10.0)  # the same of what features of genes tell, where training has some
# Genes with features, below which these are not used: seven cannot show what a feature is worth.
_FEWEST = 10
_SCALES = (0.0, *10.0 ** np.arange(-3, 3.01, 0.25))  # of a gene's own, relative to a group mean's noise


@dataclass(frozen=True)
class Shifts:
    """latent = control of the context + common (if anything is perturbed) + a shift, the mean and what
    features tell for each gene.

    Attributes:
        genes: V names; one that is none of them shifts by ``mean`` and what its features tell.
        features: float64 (F,) by gene, unseen ones too; 0 for genes that are not among them.
        own: float64 (V, D), each gene's departure from the others.
        told: float64 (F, D), what a unit of a feature does.
        mean, common: float64 (D,), what every gene and every perturbation does.
        controls: context -> float64 (D,).
    """

    genes: tuple[str, ...]
    features: Mapping[str, np.ndarray]
    own: np.ndarray
    told: np.ndarray
    mean: np.ndarray
    common: np.ndarray
    controls: dict[str, np.ndarray]

    def __call__(self, conditions: Sequence[Condition], contexts: Sequence[str]) -> np.ndarray:
        """Mean latents float64 (P, D).

        Raises:
            InputError: a context without training cells.
        """
        missing = sorted(set(contexts) - set(self.controls))
        if missing:
            raise InputError(
                f"shifts: no training cells in context {missing[0]}; found {', '.join(self.controls)}"
            )
        hits, known, count, any_ = _design(conditions, self.genes, self.features)
        change = hits @ self.own + known @ self.told
        change += np.outer(count, self.mean) + np.outer(any_, self.common)
        return np.stack([self.controls[c] for c in contexts]) + change


def fit_shifts(
    latents: np.ndarray,
    conditions: Sequence[Condition],
    contexts: Sequence[str],
    features: Mapping[str, np.ndarray] | None = None,
) -> Shifts:
    """Shifts from training cells alone, nothing to choose.

    Means of groups are turned to their principal directions (within contexts). In each, a group's mean
    is its context's control + x'w + noise. x counts each gene and all genes, says whether there is any,
    and sums features of genes, by which genes that training has not seen are told apart; w
    is normal with variances s, s a, s b, s f; noise has the variance of cells within groups over their
    number; the control is free, so that all groups help to place it. What comes back are posterior
    means, averaged over a grid of (s, a, b, f) with weights proportional to the restricted likelihood
    (Patterson & Thompson 1971; averaging: Hoeting et al. 1999), so that directions of noise are shrunk
    (Efron & Morris 1973); not all the way where dimensions outnumber groups, since axes are then found
    where the noise of groups happens to lie. Shifts are the same in all contexts; doses and types are
    not used. Cost: five eigendecompositions of M x M, with features fifteen.

    Args:
        latents: (n, D). conditions: one a cell, () for controls. contexts: one a cell.
        features: of genes, float64 (F,), of a mean square norm of about 1; not used where training has
            fewer than ten genes with some.

    Raises:
        InputError: different numbers of cells, values that are not finite, no perturbed cells, or no
        group of more than one cell.
    """
    if len({len(latents), len(conditions), len(contexts)}) > 1 or not np.isfinite(latents).all():
        raise InputError(
            f"shifts: found {len(latents)} latents, {len(conditions)} conditions and {len(contexts)} "
            "contexts; expected one of each per cell, and finite latents"
        )
    keys = [(condition(*c), str(k)) for c, k in zip(conditions, contexts, strict=True)]
    names = sorted(set(keys))
    place = {key: i for i, key in enumerate(names)}
    codes = np.array([place[key] for key in keys], np.int64)
    genes = tuple(sorted({gene for c, _ in names for gene in c}))
    if not genes or len(latents) <= len(names):
        raise InputError(
            f"shifts: found {len(genes)} perturbed genes and {len(latents)} cells in {len(names)} "
            "groups; expected perturbed cells and groups of more than one cell"
        )
    places = sorted({k for _, k in names})
    inside = np.array([[k == p for p in places] for _, k in names], np.float64)
    means, cells = group_means(latents, codes, len(names)), np.bincount(codes).astype(np.float64)
    centres = inside.T @ means / inside.sum(0)[:, None]
    axes, noise = _directions(latents, codes, means, means - inside @ centres)
    told = features if features and len(set(features) & set(genes)) >= _FEWEST else {}
    design = _design([c for c, _ in names], genes, told)
    scaled = (means - inside @ centres) @ axes / noise
    parts = _posterior(scaled, cells, inside, design)
    *found, controls = ((part * noise) @ axes.T for part in parts)
    return Shifts(genes, told, *found, dict(zip(places, centres + controls, strict=True)))


def _directions(
    latents: np.ndarray, codes: np.ndarray, means: np.ndarray, effects: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Principal axes (D, k) of the groups, and the standard deviation (k,) of cells within groups."""
    _, size, axes = np.linalg.svd(effects, full_matrices=False)
    axes = axes[size > 1e-6 * size[0]].T
    within = np.asarray(latents, np.float64) @ axes - (means @ axes)[codes]
    noise = np.sqrt(np.square(within).sum(0) / (len(codes) - len(means)))
    return axes, np.maximum(noise, 1e-6 * size[0])


def _posterior(
    y: np.ndarray, cells: np.ndarray, inside: np.ndarray, design: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, ...]:
    """Averages of own (V, k), told (F, k), mean (k,), common (k,) and controls (K, k) over the grid.

    Args:
        y: (M, k), means of groups with noise variance 1 / cells (M,); inside: (M, K), their context.
    """
    hits, known, count, any_ = design
    root = np.sqrt(cells)[:, None]
    rows = (hits.shape[1], known.shape[1], 1, 1, inside.shape[1])
    own, told, mean, common, controls = (np.zeros((n, y.shape[1])) for n in rows)
    kernels = []
    for (a, b), f in product(_SHARED, _KNOWN if known.any() else (0.0,)):
        kernel = hits @ hits.T + f * known @ known.T
        kernel += a * np.outer(count, count) + b * np.outer(any_, any_)
        values, vectors = np.linalg.eigh(root * kernel * root.T)
        turned = vectors.T @ (root * y), vectors.T @ (root * inside)
        kernels.append((f, a, b, values.clip(min=0), vectors, turned))
    scales = np.array(_SCALES) * (1 / cells).mean()
    evidence = np.stack([e for *_, values, _, t in kernels for e, *_ in _solved(scales, values, *t)])
    weights = iter(softmax(evidence, axis=0))
    for f, a, b, values, vectors, turned in kernels:
        for scale, (_, free, residual) in zip(scales, _solved(scales, values, *turned), strict=True):
            weight = next(weights)
            dual = scale * weight * (root * (vectors @ residual))
            own += hits.T @ dual
            told += f * known.T @ dual
            mean += a * count[None] @ dual
            common += b * any_[None] @ dual
            controls += weight * free
    return own, told, mean[0], common[0], controls


def _solved(
    scales: np.ndarray, values: np.ndarray, y: np.ndarray, inside: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Of each scale: log restricted likelihood (k,), free controls (K, k), and inverse covariance times
    residuals (M, k).

    In the eigenvectors of the kernel, where the covariance of y is the diagonal 1 + scale * values.
    """
    for scale in scales:
        variance = (1 + scale * values)[:, None]
        normal = inside.T @ (inside / variance)
        free = np.linalg.solve(normal, inside.T @ (y / variance))
        error = y - inside @ free
        constant = np.log(variance).sum() + np.linalg.slogdet(normal)[1]
        yield -0.5 * (np.square(error) / variance).sum(0) - 0.5 * constant, free, error / variance


def _design(
    conditions: Sequence[Condition], genes: Sequence[str], features: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of each condition: its genes (P, V), the sum of their features (P, F), how many there are (P,),
    of training or not, and if any (P,)."""
    number = {gene: i for i, gene in enumerate(genes)}
    hits = np.zeros((len(conditions), len(genes)))
    known = np.zeros((len(conditions), len(next(iter(features.values()), ()))))
    for row, c in enumerate(conditions):
        for gene in set(c) & set(number):
            hits[row, number[gene]] = 1
        for gene in sorted(set(c) & set(features)):
            known[row] += features[gene]
    count = np.array([len(c) for c in conditions], np.float64)
    return hits, known, count, (count > 0).astype(np.float64)
