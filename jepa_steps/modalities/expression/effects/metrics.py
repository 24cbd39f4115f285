"""How well predicted profiles match observed ones, a value for each test perturbation.

Shapes: P test perturbations, G genes. Every function takes predicted and observed mean expression
(P, G) and returns float64 (P,), so that methods can be compared perturbation by perturbation.

An effect (delta) is a profile less a reference: the control mean, or the mean over training
perturbations ("perturbed centroid"). The second takes away what all perturbations share, which
inflates correlations with the first (Viñas Torné et al. 2025, "Systema", Nature Biotechnology).

NaN: a row with a value that is not finite, and a correlation or cosine with an effect that is zero
or, for correlations, equal in all genes (up to rounding). Means over perturbations leave NaN out and
say how many are left; verdicts read it as the metric's chance value, so that a method gains nothing
by predicting no effect where the effect is hard.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....errors import InputError
from .ranking import discrimination

# A delta below this share of its profiles' norms is rounding: float32 profiles carry 6e-8.
_ROUNDING = 1e-6


def pearson_delta(predicted: np.ndarray, observed: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Pearson correlation over genes of predicted - reference and observed - reference.

    With the control mean this is the usual Pearson-delta (Roohani et al. 2023, GEARS); with the mean
    over training perturbations it is Systema's. reference: (P, G) or (G,).
    """
    predicted, observed, reference = _checked(predicted, observed, reference)
    return _cosine(_delta(predicted, reference, centre=True), _delta(observed, reference, centre=True))


def cosine_delta(predicted: np.ndarray, observed: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Cosine of the two effects (Wu et al. 2024, PerturBench: cosine of log fold changes)."""
    predicted, observed, reference = _checked(predicted, observed, reference)
    return _cosine(_delta(predicted, reference), _delta(observed, reference))


def l2(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Euclidean norm over genes of predicted - observed (Ahlmann-Eltze, Huber & Anders 2025).

    They take the 1,000 highest genes; pass those columns for that. It grows with sqrt(G).
    """
    predicted, observed = _checked(predicted, observed)
    return np.linalg.norm(predicted - observed, axis=1)


def mse(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Mean over genes of (predicted - observed)^2."""
    return l2(predicted, observed) ** 2 / predicted.shape[1]


def top_genes(observed: np.ndarray, reference: np.ndarray, k: int = 20) -> np.ndarray:
    """Columns int64 (P, k) of the k genes with the largest |observed - reference|, largest first.

    By effect size, not by a test, so that it needs no cells (Systema's own choice); the first of
    tied genes. All genes where G < k.
    """
    size = np.abs(observed - reference)
    return np.argsort(-size, axis=1, kind="stable")[:, :k]


def top_pearson_delta(
    predicted: np.ndarray, observed: np.ndarray, reference: np.ndarray, k: int = 20
) -> np.ndarray:
    """Pearson-delta over the k genes that the perturbation truly changes most (GEARS: top 20)."""
    predicted, observed, reference = _checked(predicted, observed, reference)
    columns = top_genes(observed, reference, k)
    rows = (np.take_along_axis(x, columns, axis=1) for x in (predicted, observed, reference))
    return pearson_delta(*rows)


def top_precision(
    predicted: np.ndarray, observed: np.ndarray, reference: np.ndarray, k: int = 20
) -> np.ndarray:
    """Share of the k most changed genes that the prediction also ranks among its k most changed.

    Precision at k of cell-eval (Adduri et al. 2025), by effect size. Genes tied at the k-th place
    share what is left of the k places, the expectation over random tie breaking: no change scores
    exactly k / G.
    """
    predicted, observed, reference = _checked(predicted, observed, reference)
    k = min(k, predicted.shape[1])
    shares = (_top_share(np.abs(x - reference), k) for x in (predicted, observed))
    overlap = np.multiply(*shares).sum(1) / k
    return np.where(np.isfinite(predicted + observed).all(1), overlap, np.nan)


@dataclass(frozen=True)
class Metric:
    """How a metric is read: larger is better or not, and what a guess scores (None: no such value)."""

    higher: bool
    chance: float | None


METRICS: dict[str, Metric] = {
    "pearson_delta": Metric(True, 0.0),
    "pearson_delta_perturbed": Metric(True, 0.0),
    "cosine_delta": Metric(True, 0.0),
    "top20_pearson_delta": Metric(True, 0.0),
    "top20_precision": Metric(True, 0.0),
    "l2": Metric(False, None),
    "mse": Metric(False, None),
    "discrimination": Metric(True, 0.5),
    "centroid_accuracy": Metric(True, 0.5),
    "energy_distance": Metric(False, None),
}


def evaluate(
    predicted: np.ndarray,
    observed: np.ndarray,
    control: np.ndarray,
    perturbed: np.ndarray,
    contexts: Sequence[str] | None = None,
) -> dict[str, np.ndarray]:
    """Every metric of METRICS that means suffice for: name -> float64 (P,). energy_distance needs cells,
    the top 20 genes more than 20.

    Args:
        predicted, observed: mean expression (P, G).
        control: training control mean of each row's context (P, G).
        perturbed: mean over the training perturbations of each row's context (P, G), as
            baselines.perturbed_mean gives it.
        contexts: P names; a perturbation is told from others of its context only. None: one context.
    """
    delta, truth = predicted - control, observed - control
    top = {
        "top20_pearson_delta": top_pearson_delta(predicted, observed, control),
        "top20_precision": top_precision(predicted, observed, control),
    }
    return {
        "pearson_delta": pearson_delta(predicted, observed, control),
        "pearson_delta_perturbed": pearson_delta(predicted, observed, perturbed),
        "cosine_delta": cosine_delta(predicted, observed, control),
        **(top if predicted.shape[1] > 20 else {}),
        "l2": l2(predicted, observed),
        "mse": mse(predicted, observed),
        "discrimination": discrimination(delta, truth, contexts, "l1"),
        "centroid_accuracy": discrimination(delta, truth, contexts, "l2"),
    }


def mean_over_perturbations(values: np.ndarray) -> tuple[float, int]:
    """(mean, number) of the defined values; (NaN, 0) without any."""
    defined = values[~np.isnan(values)]
    return (float(defined.mean()) if len(defined) else float("nan")), len(defined)


def _checked(predicted: np.ndarray, observed: np.ndarray, *references: np.ndarray) -> list[np.ndarray]:
    """All as float64 (P, G).

    Raises:
        InputError: shapes that do not fit.
    """
    if predicted.shape != observed.shape or predicted.ndim != 2:
        raise InputError(
            f"predicted profiles have shape {predicted.shape}, observed {observed.shape}; expected "
            "the same perturbations by genes"
        )
    return [
        np.broadcast_to(np.asarray(x, dtype=np.float64), predicted.shape)
        for x in (predicted, observed, *references)
    ]


def _delta(profile: np.ndarray, reference: np.ndarray, centre: bool = False) -> np.ndarray:
    """Unit effects (P, G); NaN rows where the effect is rounding."""
    delta = profile - reference
    if centre:
        delta -= delta.mean(1, keepdims=True)
    norm = np.linalg.norm(delta, axis=1)
    size = np.linalg.norm(profile, axis=1) + np.linalg.norm(reference, axis=1)
    return delta / np.where(norm > _ROUNDING * size, norm, np.nan)[:, None]


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(1).clip(-1, 1)


def _top_share(size: np.ndarray, k: int) -> np.ndarray:
    """How much of the k places each gene holds (P, G): 1 above the k-th size, a share at it."""
    threshold = -np.partition(-size, k - 1, axis=1)[:, k - 1 : k]
    above, at = size > threshold, size == threshold
    left = (k - above.sum(1, keepdims=True)) / at.sum(1, keepdims=True).clip(min=1)
    return above + at * left
