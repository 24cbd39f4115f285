"""Probes on frozen embeddings: linear classifiers and regression, few labels, choice of pooling.

Settings are chosen on val, the probe is refitted on train + val, test is touched once. All features
are standardised with statistics of the training part.

Shapes: n rows, m test rows, D dimensions, C classes, K targets.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy.special import log_softmax

from .. import draws
from ..errors import InputError
from ..files import read_json
from .linear import Linear, logistic, probabilities, ridge

_FEW = 100  # val samples below which an accuracy is too coarse to choose by
_RIDGE_STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)


@dataclass(frozen=True)
class Split3:
    """Standardised features (n, D) of the three parts and their labels (n,) or targets (n, K)."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    train_y: np.ndarray
    val_y: np.ndarray
    test_y: np.ndarray

    @property
    def train_and_val(self) -> tuple[np.ndarray, np.ndarray]:
        """Train and val together."""
        return np.concatenate([self.train, self.val]), np.concatenate([self.train_y, self.val_y])


@dataclass(frozen=True)
class LinearProbe:
    """A fitted linear classifier of embeddings, with all that applying it needs.

    mean, scale: float64 (D,), of the standardisation; scale is infinite in constant dimensions.
    linear: class scores of standardised embeddings.
    classes: int64 (C,), the class number of each score.
    pooling: name of the pooling whose embeddings it reads.
    """

    mean: np.ndarray
    scale: np.ndarray
    linear: Linear
    classes: np.ndarray
    pooling: str

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        """Probabilities (n, C) of ``classes`` for embeddings (n, D)."""
        return probabilities(self.linear((rows - self.mean) / self.scale))

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Class numbers int64 (n,) of embeddings (n, D)."""
        return self.classes[self.probabilities(rows).argmax(1)]

    def save(self, path: Path) -> None:
        """Write the numbers; classes and pooling belong into probe.json beside the file."""
        arrays = {"coef": self.linear.coef, "intercept": self.linear.intercept}
        arrays |= {"mean": self.mean, "scale": self.scale}
        # safetensors writes the memory as it lies, strides or not.
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)


def one_hot(codes: list[np.ndarray], parts: list[np.ndarray]) -> list[np.ndarray]:
    """Of each part, float64 (n, K): the indicators of several codes int64 (N,) side by side."""
    wide = [np.eye(c.max() + 1) for c in codes]
    return [np.hstack([w[c[part]] for w, c in zip(wide, codes, strict=True)]) for part in parts]


def load_probe(folder: Path) -> LinearProbe:
    """The linear probe in a folder written by the probe step (probe.safetensors, probe.json).

    Raises:
        InputError: missing files, or data without labels.
    """
    description = read_json(folder / "probe.json", "labels")
    if not description["labels"]:
        raise InputError(f"{folder / 'probe.json'}: no probe: {description['reason']}")
    try:
        arrays = load_file(folder / "probe.safetensors")
        linear = Linear(arrays["coef"], arrays["intercept"])
        classes = np.array(description["classes"], dtype=np.int64)
        pooling = description["pooling"]["chosen"]
        return LinearProbe(arrays["mean"], arrays["scale"], linear, classes, pooling)
    except (OSError, SafetensorError, KeyError) as error:
        raise InputError(f"{folder}: not a probe: {error}; run the probe step again") from None


def standardisation(train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean, scale) of rows (n, D), float64 (D,); the scale of constant dimensions is infinite."""
    mean, std = train.mean(0, dtype=np.float64), train.std(0, dtype=np.float64)
    size = max(np.abs(mean).max(), std.max())  # of which rounding errors are a share
    return mean, np.where(std > 1e-12 * size, std, np.inf)


def standardise(train: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """All parts minus the training mean, over the training std; constant dimensions become 0."""
    mean, scale = standardisation(train)
    return [(x - mean) / scale for x in (train, *others)]


def _best(path: dict[float, Linear], score: Callable[[Linear], Any]) -> tuple[float, dict]:
    """(strength with the highest score, scores); of equal ones the first."""
    found = {strength: score(linear) for strength, linear in path.items()}
    return max(found, key=lambda strength: found[strength]), found


def _accuracy(x: np.ndarray, y: np.ndarray, classes: np.ndarray) -> Callable[[Linear], float]:
    return lambda linear: float((classes[linear(x).argmax(1)] == y).mean())


def _log_loss(x: np.ndarray, y: np.ndarray, classes: np.ndarray) -> Callable[[Linear], float]:
    """Mean over the rows whose class is among ``classes``, in nats; 0 of none."""
    known = np.isin(y, classes)
    x, of = x[known], np.searchsorted(classes, y[known])
    rows = np.arange(len(of))
    return lambda linear: -float(log_softmax(linear(x), 1)[rows, of].sum()) / max(1, len(of))


def logistic_probe(data: Split3, grid: Iterable[float]) -> tuple[Linear, np.ndarray, dict]:
    """(class scores, their class numbers (C,), choice) of the logistic probe; c chosen on val.

    By accuracy, and of inverse strengths with equal accuracy by the lowest log loss; by log loss alone
    where val has fewer than 100 samples.

    Raises:
        InputError: not converged.
    """
    classes, codes = np.unique(data.train_y, return_inverse=True)
    path = logistic(data.train.astype(np.float32), codes, grid)
    accuracy, loss = (f(data.val, data.val_y, classes) for f in (_accuracy, _log_loss))
    few = len(data.val_y) < _FEW
    found = {strength: (accuracy(linear), loss(linear)) for strength, linear in path.items()}
    best = max(found, key=lambda s: (0.0 if few else found[s][0], -found[s][1]))
    x, y = data.train_and_val
    near = path[best] if np.isin(data.val_y, classes).all() else None
    classes, codes = np.unique(y, return_inverse=True)
    choice = {"c": best, "val_accuracy": {f"{c:g}": share for c, (share, _) in found.items()}}
    return logistic(x, codes, [best], near)[best], classes, choice


def _ridge_path(x: np.ndarray, y: np.ndarray) -> tuple[dict[float, Linear], np.ndarray]:
    """(ridge regression on one-hot labels by strength, strong first; class numbers)."""
    classes, codes = np.unique(y, return_inverse=True)
    return ridge(x, np.eye(len(classes))[codes], sorted(_RIDGE_STRENGTHS, reverse=True)), classes


def ridge_probe(data: Split3) -> tuple[np.ndarray, dict]:
    """(predicted labels (m,), choice) of the ridge classifier; strength chosen on val."""
    path, classes = _ridge_path(data.train, data.train_y)
    best, _ = _best(path, _accuracy(data.val, data.val_y, classes))
    path, classes = _ridge_path(*data.train_and_val)
    return classes[path[best](data.test).argmax(1)], {"alpha": best}


def coarseness(accuracy: float, n: int) -> float:
    """Standard error of an accuracy on n val samples, where these are so few that it is coarse; else
    0."""
    return (accuracy * (1 - accuracy) / n) ** 0.5 if n < _FEW else 0.0


def pooling_accuracy(
    train: np.ndarray, val: np.ndarray, train_y: np.ndarray, val_y: np.ndarray
) -> float:
    """Val accuracy of the best ridge classifier on embeddings (n, D): what poolings are chosen by."""
    train, val = standardise(train, val)
    path, classes = _ridge_path(train, train_y)
    return max(_best(path, _accuracy(val, val_y, classes))[1].values())


def regression_probe(data: Split3) -> tuple[np.ndarray, dict]:
    """(predicted targets (m, K), choice) of ridge regression on targets (n, K); strength by val R2.

    ``r2`` in the choice is that of test, the mean over targets.
    """
    from sklearn.metrics import r2_score  # takes a second, and few data have targets

    strengths = sorted(_RIDGE_STRENGTHS, reverse=True)
    path = ridge(data.train, data.train_y, strengths)
    best, found = _best(path, lambda linear: float(r2_score(data.val_y, linear(data.val))))
    predicted = ridge(*data.train_and_val, [best])[best](data.test)
    choice = {"alpha": best, "val_r2": {f"{a:g}": r2 for a, r2 in found.items()}}
    return predicted, {**choice, "r2": float(r2_score(data.test_y, predicted))}


def few_label_rows(labels: np.ndarray, per_class: int, seed: int, draw: int) -> np.ndarray | None:
    """Row numbers of ``per_class`` random rows of each class; None if a class has too few."""
    generator = draws.generator(seed, "few labels", per_class, draw)
    rows = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) < per_class:
            return None
        rows.append(generator.permutation(members)[:per_class])
    return np.sort(np.concatenate(rows))


def few_label_probe(data: Split3, per_class: int, draws: int, seed: int) -> np.ndarray | None:
    """Predicted test labels (draws, m) of logistic probes (c = 1) on a few labels a class.

    Val labels are not used: nothing is tuned. Features keep the standardisation by the whole
    (unlabelled) training part.
    """
    predicted = []
    for draw in range(draws):
        rows = few_label_rows(data.train_y, per_class, seed, draw)
        if rows is None:
            return None
        classes, codes = np.unique(data.train_y[rows], return_inverse=True)
        linear = logistic(data.train[rows], codes, [1.0])[1.0]
        predicted.append(classes[linear(data.test).argmax(1)])
    return np.stack(predicted)
