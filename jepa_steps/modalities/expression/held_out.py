"""Which held-out perturbations a store asks for, and the cells that may answer.

Shapes: P test perturbations, one for each condition and context.
"""

from dataclasses import dataclass

import numpy as np

from ...draws import sample
from .encoding import FIRST_GENE, read_vocabulary
from .store import ExpressionStore


@dataclass(frozen=True)
class HeldOut:
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
        return sample(self.known, most, seed, "known cells")

    def controls(self, store: ExpressionStore, context: int, most: int, seed: int) -> np.ndarray:
        """At most ``most`` of the known controls of a context, ascending."""
        rows = self.known[store.condition[self.known] == 0]
        rows = rows[store.context[rows] == context]
        return sample(rows, most, seed, "controls", context)


def held_out_perturbations(store: ExpressionStore) -> HeldOut:
    """The perturbed cells of test by condition and context, and what is known beforehand.

    A context without training controls is known by its test controls: nothing was done to them.
    """
    test, train = store.rows("test"), store.rows("train")
    cells = test[store.condition[test] > 0]
    pairs = np.stack([store.condition[cells], store.context[cells]])
    keys, codes = np.unique(pairs, axis=1, return_inverse=True)
    with_controls = store.context[train[store.condition[train] == 0]]
    lacking = ~np.isin(store.context[test], with_controls) & (store.condition[test] == 0)
    return HeldOut(keys[0], keys[1], cells, codes.ravel(), np.concatenate([train, test[lacking]]))


def describe(store: ExpressionStore, held_out: HeldOut) -> list[dict[str, object]]:
    """Of each of the P: perturbation, context, type, dose, subgroup, cells."""
    counts = np.bincount(held_out.codes, minlength=len(held_out.condition))
    conditions, known = store.perturbations["conditions"], store.perturbations["perturbations"]
    return [
        {
            **{name: conditions[c][name] for name in ("perturbation", "type", "dose")},
            "context": store.contexts[k],
            "subgroup": known[conditions[c]["perturbation"]]["subgroup"],
            "cells": int(n),
        }
        for c, k, n in zip(held_out.condition, held_out.context, counts, strict=True)
    ]


def names_of(store: ExpressionStore) -> list[tuple[str, ...]]:
    """The sorted names of what every condition of the store perturbs, by which effects are told apart;
    () for control.

    A name is the gene with its type and dose where training knows all of these that occur; else the gene
    with its type; and where it does not know these either, or there is one only, the gene.
    """
    names = _names(store)
    return [tuple(sorted(names[part] for part in parts)) for parts in _parts(store)]


def features_of(store: ExpressionStore) -> dict[str, np.ndarray]:
    """Features float64 (F,) by the names of ``names_of``, scaled to a mean square norm of 1; without
    genes of which nothing is known."""
    vocabulary, _ = read_vocabulary(store.perturbations)
    genes = (*vocabulary.genes, *vocabulary.held_out)
    rows = dict(zip(genes, store.features[FIRST_GENE:].astype(np.float64), strict=True))
    known = {gene: row for gene, row in rows.items() if row.any()}
    norm = np.sqrt(np.mean([row @ row for row in known.values()])) if known else 1.0
    return {name: known[part[0]] / norm for part, name in _names(store).items() if part[0] in known}


def _parts(store: ExpressionStore) -> list[list[tuple[str, str, float]]]:
    """(gene, type, dose) of all that each condition perturbs."""
    return [[tuple(part) for part in c["parts"]] for c in store.perturbations["conditions"]]


def _names(store: ExpressionStore) -> dict[tuple[str, str, float], str]:
    parts, trained = _parts(store), np.unique(store.condition[store.rows("train")])
    occurring, trained_parts = _by_gene(parts), _by_gene([parts[code] for code in trained])
    found = {}
    for gene, every in occurring.items():
        trained_on = trained_parts.get(gene, set())
        known = [n for n in (1, 2, 3) if {p[:n] for p in every} <= {p[:n] for p in trained_on}]
        told = len({p[: max(known, default=1)] for p in every})
        length = next(n for n in (1, 2, 3) if len({p[:n] for p in every}) == told)
        for part in every:
            found[part] = " ".join(map(str, part[:length]))
    return found


def _by_gene(parts: list[list[tuple[str, str, float]]]) -> dict[str, set[tuple[str, str, float]]]:
    found: dict[str, set] = {}
    for part in (part for every in parts for part in every):
        found.setdefault(part[0], set()).add(part)
    return found


def split_of(store: ExpressionStore) -> dict[str, object]:
    """How the store is split, and whether that leaks."""
    split = store.manifest["settings"]["split"]
    return {"split": split["kind"], "leaky": store.manifest["leaky"]}
