"""How much of the variance of embeddings a known variable explains: a label, a batch, a condition.

Shapes: n rows, q conditions, D dimensions.
"""

import numpy as np


def explained_share(
    rows: np.ndarray, codes: np.ndarray, within: np.ndarray | None = None
) -> float | None:
    """omega^2 of a variable: its share of the total variance, less what chance explains (Hays 1963).

    Summed over the dimensions: (SS_between - df MS_within) / (SS_total + MS_within). 0, on average,
    for a variable that has nothing to do with the rows (it may come out slightly negative), 1 where
    the rows are constant within its values.

    Args:
        rows: float (n, D).
        codes: int (n,), the variable's value of each row.
        within: int (n,); count only what ``codes`` explains among rows of equal ``within``, so that
            a batch is not charged with the label that it holds.

    Returns:
        None where every value has a single row, or no dimension varies.
    """
    rows = np.asarray(rows, np.float64)
    coarse = (
        np.zeros(len(rows), np.int64) if within is None else np.unique(within, return_inverse=True)[1]
    )
    fine = np.unique(np.stack([coarse, codes]), axis=1, return_inverse=True)[1].ravel()
    total, rest = _within(rows, coarse * 0), _within(rows, fine)
    free = len(rows) - fine.max() - 1
    if free <= 0 or total <= 0:
        return None
    noise = rest / free
    between = _within(rows, coarse) - rest
    return float((between - (fine.max() - coarse.max()) * noise) / (total + noise))


def _within(rows: np.ndarray, codes: np.ndarray) -> float:
    """Sum of squared distances from the mean row of each row's value."""
    sums = np.zeros((codes.max() + 1, rows.shape[1]))
    np.add.at(sums, codes, rows)
    means = sums / np.bincount(codes)[:, None]
    return float(((rows - means[codes]) ** 2).sum())


def nuisance_statistics(rows: np.ndarray, groups: np.ndarray, labels: np.ndarray) -> dict:
    """Shares of the variance of pooled embeddings (n, D) that groups and labels explain.

    group_share and label_share are each variable's own; group_beyond_label is what groups add
    among samples of one label. Samples without a label (-1) are left out of the label's numbers,
    which are None where there are fewer than two labels.
    """
    known = labels >= 0
    labelled = len(np.unique(labels[known])) > 1
    part = (rows[known], groups[known], labels[known])
    return {
        "n": len(rows),
        "groups": len(np.unique(groups)),
        "group_share": explained_share(rows, groups),
        "label_share": explained_share(part[0], part[2]) if labelled else None,
        "group_beyond_label": explained_share(*part) if labelled else None,
    }


def nuisance_share(statistics: dict | None) -> float | None:
    """What groups explain beyond labels, or alone where labels say nothing; None without groups."""
    if statistics is None:
        return None
    beyond = statistics["group_beyond_label"]
    return statistics["group_share"] if beyond is None else beyond


def condition_statistics(
    predictions_nqD: np.ndarray, targets: np.ndarray, conditions: np.ndarray
) -> dict[str, float | int | None]:
    """How much predictions depend on the condition, beside how much the truth does.

    Args:
        predictions_nqD: predictions for n inputs under each of q conditions.
        targets: embeddings (m, D) of real samples.
        conditions: int (m,), the condition of each of them.

    Returns:
        predicted_share: variance between conditions of one input over the total variance of the
        predictions; target_share: chance-corrected share of the targets' variance that the
        condition explains; None where nothing varies.
    """
    predictions = np.asarray(predictions_nqD, np.float64)
    n, q, _ = predictions.shape
    total = ((predictions - predictions.mean((0, 1))) ** 2).sum()
    between = ((predictions - predictions.mean(1, keepdims=True)) ** 2).sum()
    return {
        "inputs": n,
        "conditions": q,
        "targets": len(targets),
        "predicted_share": float(between / total) if total > 0 else None,
        "target_share": explained_share(targets, conditions),
    }
