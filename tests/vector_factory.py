"""Embeddings with planted faults, and tables of what they are."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

CLASSES, BATCHES = 3, 4


def table(n: int = 400, seed: int = 0) -> dict[str, np.ndarray]:
    """Columns of n samples: id, label, batch, donor and age, independent of each other."""
    rng = np.random.default_rng(seed)
    return {
        "id": np.array([f"s{i:03d}" for i in range(n)]),
        "label": np.array(["ant", "bee", "cat"])[rng.integers(0, CLASSES, n)],
        "batch": np.array([f"b{i}" for i in rng.integers(0, BATCHES, n)]),
        "donor": np.array([f"d{i}" for i in rng.integers(0, 30, n)]),
        "age": rng.uniform(20, 80, n).round(1),
    }


def embeddings(
    of: dict[str, np.ndarray], dim: int = 32, label: float = 1.0, batch: float = 0.0
) -> np.ndarray:
    """float32 (n, dim): noise, the age in one dimension, and directions of label and batch."""
    rng = np.random.default_rng(1)
    n = len(of["id"])
    x = rng.normal(size=(n, dim))
    x[:, 0] += of["age"] / 20
    for column, strength in (("label", label), ("batch", batch)):
        codes = np.unique(of[column], return_inverse=True)[1]
        x += strength * rng.normal(size=(codes.max() + 1, dim))[codes]
    return x.astype(np.float32)


def written(path: Path, columns: dict[str, Any]) -> Path:
    """A .csv of columns."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path
