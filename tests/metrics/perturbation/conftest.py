"""Synthetic cells of an additive world, and the real development set where it exists."""

import numpy as np
import pytest

from jepa_steps.metrics.perturbation.pseudobulk import condition, training_table

GENES = ["A", "B", "C", "D"]


class World:
    """Effects (G,) of four genes in two contexts: additive, the same in both, noise-free means."""

    def __init__(self, columns: int = 12):
        rng = np.random.default_rng(0)
        self.effects = dict(zip(GENES, rng.normal(size=(4, columns)), strict=True))
        self.controls = {"x": rng.uniform(3, 4, columns), "y": rng.uniform(3, 4, columns)}

    def mean(self, genes, context="x"):
        return self.controls[context] + sum((self.effects[g] for g in genes), np.zeros(12))

    def table(self, *wanted: tuple[str, str]):
        """Training table of (genes, context) such as ("AB", "x"), and all controls."""
        keys = [((), c) for c in self.controls] + [(condition(*g), c) for g, c in wanted]
        rows = np.stack([self.mean(g, c) for g, c in keys])
        return training_table(rows, [g for g, _ in keys], [c for _, c in keys])


@pytest.fixture
def world() -> World:
    return World()
