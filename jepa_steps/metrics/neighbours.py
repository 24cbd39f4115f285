"""Nearest neighbours in embedding space."""

import numpy as np


def knn_probe(
    train: np.ndarray, y: np.ndarray, test: np.ndarray, k: int, temperature: float = 0.07
) -> np.ndarray:
    """Weighted k nearest neighbours by cosine similarity, weights exp(similarity / temperature).

    The protocol of Wu et al. 2018 and DINO. Returns predicted labels (m,).
    """
    unit = [x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (train, test)]
    k, votes_of = min(k, len(train)), np.eye(int(y.max()) + 1)[y]
    predicted = []
    for a in range(0, len(test), 1024):
        similarity = unit[1][a : a + 1024] @ unit[0].T
        near = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
        weight = np.exp((np.take_along_axis(similarity, near, 1) - 1) / temperature)
        predicted.append((weight[..., None] * votes_of[near]).sum(1).argmax(1))
    return np.concatenate(predicted)


def nearest(rows: np.ndarray, queries: np.ndarray, pool: np.ndarray, k: int) -> np.ndarray:
    """The k members of ``pool`` nearest to each query by cosine, nearest first.

    Args:
        rows: float (n, D). queries, pool: sample numbers (S,) and (P,).

    Returns:
        int64 (S, k), sample numbers; ties go to the lower place in the pool.
    """
    unit = [np.asarray(rows[index], np.float64) for index in (queries, pool)]
    unit = [x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in unit]
    order = np.argsort(-(unit[0] @ unit[1].T), axis=1, kind="stable")
    return np.asarray(pool)[order[:, :k]]
