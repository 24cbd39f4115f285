"""Which held-out perturbations a store asks for, and the cells that may answer.

Shapes: P test perturbations, one for each condition and context.
"""

from dataclasses import dataclass

import numpy as np

from .. import counter
from .store import ExpressionStore


@dataclass(frozen=True)
class Asked:
    """Attributes:
    condition, context: int64 (P,), codes of the store.
    cells: cell numbers of perturbed test cells; codes: int64, which of the P each is.
    known: cell numbers of training cells, and of the controls of contexts that training has none of.
    """

    condition: np.ndarray
    context: np.ndarray
    cells: np.ndarray
    codes: np.ndarray
    known: np.ndarray

    def sample(self, most: int, seed: int) -> np.ndarray:
        """At most ``most`` of the known cells, ascending."""
        return np.sort(counter.generator(seed, "known cells").permutation(self.known)[:most])

    def controls(self, store: ExpressionStore, context: int, most: int, seed: int) -> np.ndarray:
        """At most ``most`` of the known controls of a context, ascending."""
        rows = self.known[store.condition[self.known] == 0]
        rows = rows[store.context[rows] == context]
        return np.sort(counter.generator(seed, "controls", context).permutation(rows)[:most])


def ask(store: ExpressionStore) -> Asked:
    """The perturbed cells of test by condition and context, and what is known beforehand.

    A context without training controls is known by its test controls: nothing was done to them.
    """
    test, train = store.rows("test"), store.rows("train")
    cells = test[store.condition[test] > 0]
    both = np.stack([store.condition[cells], store.context[cells]])
    keys, codes = np.unique(both, axis=1, return_inverse=True)
    with_controls = store.context[train[store.condition[train] == 0]]
    lacking = ~np.isin(store.context[test], with_controls) & (store.condition[test] == 0)
    return Asked(keys[0], keys[1], cells, codes.ravel(), np.concatenate([train, test[lacking]]))


def describe(store: ExpressionStore, asked: Asked) -> list[dict[str, object]]:
    """Of each of the P: perturbation, context, type, dose, subgroup, cells."""
    counts = np.bincount(asked.codes, minlength=len(asked.condition))
    conditions, known = store.perturbations["conditions"], store.perturbations["perturbations"]
    return [
        {
            **{name: conditions[c][name] for name in ("perturbation", "type", "dose")},
            "context": store.contexts[k],
            "subgroup": known[conditions[c]["perturbation"]]["subgroup"],
            "cells": int(n),
        }
        for c, k, n in zip(asked.condition, asked.context, counts, strict=True)
    ]


def genes_of(store: ExpressionStore) -> list[tuple[str, ...]]:
    """The sorted genes of every condition of the store; () for control."""
    conditions = store.perturbations["conditions"]
    return [tuple(sorted(part[0] for part in c["parts"])) for c in conditions]


def split_of(store: ExpressionStore) -> dict[str, object]:
    """How the store is split, and whether that leaks."""
    split = store.manifest["settings"]["split"]
    return {"split": split["kind"], "leaky": store.manifest["leaky"]}
