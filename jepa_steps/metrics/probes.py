"""Probes on frozen embeddings: linear, neighbours, few labels; and their intervals.

Settings are chosen on val, the probe is refitted on train + val, test is touched once. All features
are standardised with statistics of the training part.

Shapes: n training rows, m test rows, D dimensions, C classes.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss

from ..data import counter
from ..errors import InputError

_RIDGE_ALPHAS = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)


@dataclass(frozen=True)
class Split3:
    """Standardised features and labels of the three parts."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    train_y: np.ndarray
    val_y: np.ndarray
    test_y: np.ndarray

    @property
    def both(self) -> tuple[np.ndarray, np.ndarray]:
        """Train and val together."""
        return np.concatenate([self.train, self.val]), np.concatenate([self.train_y, self.val_y])


def standardise(train: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """All parts minus the training mean, over the training std; constant dimensions become 0."""
    train = np.asarray(train, dtype=np.float64)
    mean, std = train.mean(0), train.std(0)
    scale = np.where(std > 1e-12 * max(1.0, np.abs(mean).max()), std, np.inf)
    return [(np.asarray(x, dtype=np.float64) - mean) / scale for x in (train, *others)]


def fit_logistic(x: np.ndarray, y: np.ndarray, c: float, start=None) -> LogisticRegression:
    """Multinomial logistic regression, L2 with inverse strength ``c``, L-BFGS to convergence.

    Raises:
        InputError: not converged.
    """
    model = LogisticRegression(C=c, max_iter=5000, tol=1e-5, warm_start=start is not None)
    if start is not None:
        model.coef_, model.intercept_, model.classes_ = start.coef_, start.intercept_, start.classes_
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            return model.fit(x, y)
        except ConvergenceWarning:
            raise InputError(
                f"the logistic probe did not converge at C = {c:g}; drop this value from logistic_c"
            ) from None


def logistic_probe(data: Split3, grid: list[float]) -> tuple[np.ndarray, dict]:
    """(class probabilities (m, C) on test, choice) of the logistic probe; C chosen on val."""
    scores, model = {}, None
    for c in sorted(grid):
        model = fit_logistic(data.train, data.train_y, c, model)
        scores[c] = float((model.predict(data.val) == data.val_y).mean())
    best = max(scores, key=lambda c: (scores[c], -c))
    final = fit_logistic(*data.both, best)
    choice = {"c": best, "val_accuracy": {f"{c:g}": s for c, s in scores.items()}}
    return final.predict_proba(data.test), {"model": final, **choice}


def ridge_probe(data: Split3) -> tuple[np.ndarray, dict]:
    """(predicted labels (m,), choice) of the ridge classifier; strength chosen on val."""
    scores = {
        a: float(
            (RidgeClassifier(a).fit(data.train, data.train_y).predict(data.val) == data.val_y).mean()
        )
        for a in _RIDGE_ALPHAS
    }
    best = max(scores, key=lambda a: (scores[a], a))
    return RidgeClassifier(best).fit(*data.both).predict(data.test), {"alpha": best}


def few_label_rows(labels: np.ndarray, per_class: int, seed: int, draw: int) -> np.ndarray | None:
    """Row numbers of ``per_class`` random rows of each class; None if a class has too few."""
    generator = counter.generator(seed, "few labels", per_class, draw)
    rows = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) < per_class:
            return None
        rows.append(generator.permutation(members)[:per_class])
    return np.sort(np.concatenate(rows))


def few_label_probe(data: Split3, per_class: int, draws: int, seed: int) -> np.ndarray | None:
    """Predicted test labels (draws, m) of logistic probes (C = 1) on a few labels a class.

    Val labels are not used: nothing is tuned. Features keep the standardisation by the whole
    (unlabelled) training part.
    """
    predicted = []
    for draw in range(draws):
        rows = few_label_rows(data.train_y, per_class, seed, draw)
        if rows is None:
            return None
        predicted.append(fit_logistic(data.train[rows], data.train_y[rows], 1.0).predict(data.test))
    return np.stack(predicted)


def scores(y: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray | None, classes: int) -> dict:
    """Accuracy, balanced accuracy, macro F1 and, with probabilities (m, C), log loss (nats)."""
    result = {
        "accuracy": float((predicted == y).mean()),
        "balanced_accuracy": float(balanced_accuracy_score(y, predicted)),
        "macro_f1": float(f1_score(y, predicted, average="macro", zero_division=0)),
    }
    if probabilities is not None:
        result["log_loss"] = float(log_loss(y, probabilities, labels=np.arange(classes)))
    return result


def bootstrap_interval(values: np.ndarray, resamples: int, seed: int) -> list[float]:
    """95 % percentile interval of the mean of per-sample values (m,), resampling samples.

    For few-label probes ``values`` is each sample's mean over draws. Paired differences of two
    experiments on the same test samples are such values, too.
    """
    generator = counter.generator(seed, "bootstrap")
    m, means = len(values), []
    for _ in range(resamples):
        means.append(values[generator.integers(0, m, m)].mean())
    low, high = np.percentile(means, [2.5, 97.5])
    return [float(low), float(high)]
