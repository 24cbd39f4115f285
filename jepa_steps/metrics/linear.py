"""Linear models of embeddings: ridge and multinomial logistic regression along principal axes.

Both penalise the squared norm of the weights, which no rotation of the features changes. Along the
principal axes ridge has a closed form that serves every strength, and the logistic loss has a nearly
diagonal curvature: scaled by it, L-BFGS converges in tens of iterations whatever the spectrum of the
features, where on the features themselves it takes hundreds.

Shapes: n rows, D dimensions, C classes, K targets, r = min(n, D) axes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax

from ..errors import InputError

# Largest entry of the scaled gradient at the end, by the type of the features. With float64 the mean
# loss is then within 1e-6 nats of its minimum; rounding of float32 allows no more than 1e-4.
_TOLERANCE = {"float64": 1e-5, "float32": 1e-4}
_STEPS = 5000
_BLOCK = 2048
_WIDEST = 10_000  # rows and columns of the matrix to decompose: 800 MB, minutes


class Linear(NamedTuple):
    """A linear map of features: ``x @ coef + intercept``; float64 (D, K) and (K,)."""

    coef: np.ndarray
    intercept: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Targets or class scores (n, K) of features (n, D)."""
        return x @ self.coef + self.intercept


@dataclass(frozen=True)
class Axes:
    """Rows along the principal axes of their second moment.

    basis: (D, r), orthonormal columns.
    rows: (n, r), the rows in this basis.
    power: (r,), mean square of the rows along each axis.
    """

    basis: np.ndarray
    rows: np.ndarray
    power: np.ndarray


def second_moment_axes(x: np.ndarray) -> Axes:
    """Axes of rows (n, D), by an eigendecomposition of the smaller of x'x and xx'.

    Raises:
        InputError: both are too large.
    """
    n, d = x.shape
    if min(n, d) > _WIDEST:
        raise InputError(
            f"found {n} embeddings of {d} values to fit, expected at most {_WIDEST} of either; "
            "lower probe.max_train or choose a narrower pooling"
        )
    if d <= n:
        values, basis = np.linalg.eigh(x.T @ x)
        return Axes(basis, x @ basis, values.clip(min=0) / n)
    values, left = np.linalg.eigh(x @ x.T)
    kept = values > n * np.finfo(values.dtype).eps * values[-1]
    values, left = values[kept], left[:, kept]
    return Axes(x.T @ (left / np.sqrt(values)), left * np.sqrt(values), values / n)


def ridge(x: np.ndarray, y: np.ndarray, strengths: Iterable[float]) -> dict[float, Linear]:
    """Ridge regression with an unpenalised intercept, for every strength.

    Minimises ||y - x W - b||^2 + strength ||W||^2 (Hoerl & Kennard 1970).

    Args:
        x: float64 (n, D).
        y: float64 (n, K).
    """
    x_mean, y_mean = x.mean(0), y.mean(0)
    axes = second_moment_axes(x - x_mean)
    moment, energy = axes.rows.T @ (y - y_mean), axes.power * len(x)
    found = {}
    for strength in strengths:
        coef = axes.basis @ (moment / (energy + strength)[:, None])
        found[strength] = Linear(coef, y_mean - x_mean @ coef)
    return found


def logistic(
    x: np.ndarray, y: np.ndarray, strengths: Iterable[float], near: Linear | None = None
) -> dict[float, Linear]:
    """Multinomial logistic regression for every inverse strength c, from strong to weak, warm-started.

    Minimises sum of -log softmax(x W + b)[y] + ||W||^2 / (2 c) with an unpenalised intercept, as
    scikit-learn's LogisticRegression does for three classes and more. For two classes the same c
    penalises half as much as there.

    Args:
        x: (n, D); float64, or float32 for half the time and digits enough to choose c by.
        y: int64 (n,), class numbers 0 to C - 1, each present.
        near: class scores from which to start, of other rows for one.

    Raises:
        InputError: not converged.
    """
    axes, target = second_moment_axes(x), np.eye(int(y.max()) + 1, dtype=x.dtype)[:, y].T
    classes = target.shape[1]
    weights = np.zeros((classes, len(axes.power) + 1))
    if near is not None:
        weights = np.hstack([near.coef.T @ axes.basis, near.intercept[:, None]])
    before = weights
    tolerance, reach, travelled = _TOLERANCE[x.dtype.name], 0.0, 0.0
    found = {}
    for c in sorted(strengths):
        penalty = 1 / (c * len(x))
        # The curvature where all classes are equally likely: power / C + penalty.
        scale = np.append(1 / np.sqrt(axes.power / classes + penalty), np.sqrt(classes))
        # From one strength to the next weights move about as ridge's would, 1 / (curvature + penalty);
        # fitted classes curve less than equally likely ones, about 1 / C of it. Only where to start.
        reached, reach = reach, 1 / (axes.power.sum() / max(len(axes.power), 1) / classes**2 + penalty)
        ahead = (reach - reached) / travelled if len(found) > 1 else 0.0
        start, before = weights + ahead * (weights - before), weights
        end = minimize(
            _cross_entropy,
            (start / scale).ravel(),
            (scale, axes.rows, target, penalty),
            "L-BFGS-B",
            jac=True,
            options={
                "gtol": tolerance,
                "ftol": 64 * np.finfo(np.float64).eps,
                "maxiter": _STEPS,
            },
        )
        # Rounding may end the last line search a little early; that is the optimum, too.
        if not end.success and np.abs(end.jac).max() > 10 * tolerance:
            raise InputError(
                f"the logistic probe did not converge at c = {c:g} ({end.message}); "
                "drop this value from logistic_c"
            )
        weights, travelled = end.x.reshape(weights.shape) * scale, reach - reached
        found[c] = Linear(axes.basis @ weights[:, :-1].T, weights[:, -1])
    return found


def _cross_entropy(
    scaled: np.ndarray, scale: np.ndarray, rows: np.ndarray, target: np.ndarray, penalty: float
) -> tuple[float, np.ndarray]:
    """Mean loss in nats and its gradient by the scaled weights; rows (n, r), target (n, C) one-hot."""
    weights = scaled.reshape(target.shape[1], -1) * scale
    coef, intercept = weights[:, :-1].astype(rows.dtype), weights[:, -1:].astype(rows.dtype)
    loss, gradient = 0.0, np.zeros_like(weights)
    # In blocks: rows are needed twice, and the second time they are still in the cache.
    for a in range(0, len(rows), _BLOCK):
        x, hot = rows[a : a + _BLOCK], target[a : a + _BLOCK].T
        # Classes first: sums over ten of them are then sums of long vectors.
        logits = coef @ x.T + intercept
        logits -= logits.max(0)
        loss -= np.einsum("cn,cn->n", logits, hot).sum(dtype=np.float64)
        p = np.exp(logits, out=logits)
        total = p.sum(0)
        loss += np.log(total).sum(dtype=np.float64)
        p /= total
        p -= hot
        gradient[:, :-1] += p @ x
        gradient[:, -1] += p.sum(1, dtype=np.float64)
    gradient /= len(rows)
    gradient[:, :-1] += penalty * weights[:, :-1]
    loss = loss / len(rows) + penalty / 2 * (weights[:, :-1] ** 2).sum()
    return loss, (gradient * scale).ravel()


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Class probabilities (n, C) of scores (n, C)."""
    return softmax(scores, axis=1)
