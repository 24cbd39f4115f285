"""How good predictions of classes are.

Shapes: m samples, C classes.
"""

import numpy as np
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss, precision_recall_fscore_support


def scores(
    y: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray | None = None
) -> dict[str, float]:
    """Accuracy, balanced accuracy and macro F1; with probabilities log loss (nats) and ECE, too.

    Args:
        y, predicted: int64 (m,), class numbers.
        probabilities: float (m, C), column c of class c; left out where a class of y has
            probability 0 throughout, because no training sample showed it.
    """
    result = {
        "accuracy": float((predicted == y).mean()),
        "balanced_accuracy": float(balanced_accuracy_score(y, predicted)),
        "macro_f1": float(f1_score(y, predicted, average="macro", zero_division=0)),
    }
    if probabilities is not None and probabilities[:, np.unique(y)].any(0).all():
        classes = np.arange(probabilities.shape[1])
        result["log_loss"] = float(log_loss(y, probabilities, labels=classes))
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
    classes = np.unique(y)
    precision, recall, f1, n = precision_recall_fscore_support(
        y, predicted, labels=classes, zero_division=0
    )
    columns = (classes, n, precision, recall, f1)
    return [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)]
