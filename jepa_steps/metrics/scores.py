"""How good predictions of classes are, from one confusion matrix.

The numbers of scikit-learn's metrics, without the second that importing them takes in every process.

Shapes: m samples, C classes.
"""

import numpy as np


def confusion_matrix(y: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(the C classes of either, ascending; int64 (C, C), samples by class and by predicted class)."""
    classes, codes = np.unique(np.concatenate([y, predicted]), return_inverse=True)
    matrix = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(matrix, (codes[: len(y)], codes[len(y) :]), 1)
    return classes, matrix


def _rates(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1 of each class, float64 (C,); 0 where undefined."""
    hits, n, predicted_n = np.diagonal(matrix), matrix.sum(1), matrix.sum(0)
    return hits / predicted_n.clip(min=1), hits / n.clip(min=1), 2 * hits / (n + predicted_n).clip(min=1)


def scores(
    y: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray | None = None
) -> dict[str, float]:
    """Accuracy, balanced accuracy (mean recall of the classes of y) and macro F1 (over the classes of y
    or predicted); with probabilities log loss (nats) and ECE, too.

    Args:
        y, predicted: int64 (m,), class numbers.
        probabilities: float (m, C), column c of class c; left out where a class of y has
            probability 0 throughout, because no training sample showed it.
    """
    _, matrix = confusion_matrix(y, predicted)
    _, recall, f1 = _rates(matrix)
    result = {
        "accuracy": float((predicted == y).mean()),
        "balanced_accuracy": float(recall[matrix.any(1)].mean()),
        "macro_f1": float(f1.mean()),
    }
    if probabilities is not None and probabilities[:, np.unique(y)].any(0).all():
        likelihood = probabilities[np.arange(len(y)), y].astype(np.float64)
        least = np.finfo(probabilities.dtype).eps
        result["log_loss"] = float(-np.log(likelihood.clip(least, 1 - least)).mean())
        result["ece"] = calibration_error(y, probabilities)
    return result


def calibration_error(y: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error (Guo et al. 2017, "On calibration of modern neural networks").

    Mean over samples of |accuracy - confidence| of the sample's bin; the confidence of a sample is
    its largest probability, bins are equally wide in (0, 1].
    """
    confidence = probabilities.max(1)
    excess = (probabilities.argmax(1) == y) - confidence
    which = np.ceil(confidence * bins).astype(np.int64).clip(1, bins) - 1
    return float(np.abs(np.bincount(which, excess, bins)).sum() / len(y))


def per_class(y: np.ndarray, predicted: np.ndarray) -> list[list[float]]:
    """For each class of y: its number, samples, precision, recall, F1; 0 where undefined."""
    classes, matrix = confusion_matrix(y, predicted)
    shown = matrix.any(1)
    columns = (c[shown].tolist() for c in (classes, matrix.sum(1), *_rates(matrix)))
    return [list(row) for row in zip(*columns, strict=True)]
