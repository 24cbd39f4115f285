"""Train, val and test of perturbed cells by what is to be new, and of controls beside them."""

import numpy as np

from .... import draws
from ....data.splits import SPLITS
from ....data.splits import assign as stratified
from ....errors import InputError
from ..dataset import ExpressionSplit
from ..sources.keys import nearest
from .labels import CONTROL, Cells

VAL, TEST = 1, 2


def assign(cells: Cells, settings: ExpressionSplit) -> np.ndarray:
    """Where each cell goes, by labels alone: int64 (n,), 0 train, 1 val, 2 test, -1 left out.

    Raises:
        InputError: unknown unit names, or too few units to give each part one.
    """
    kind = settings.kind
    if kind in ("context", "batch"):
        codes, names = (
            (cells.context, cells.contexts) if kind == "context" else (cells.batch, cells.batches)
        )
        used = sorted(names[c] for c in np.unique(codes[cells.condition >= 0]))
        part = _draw(used, settings, "contexts" if kind == "context" else "batches", kind)
        split = np.array([part.get(name, 0) for name in names])[codes]
        return np.where(cells.condition < 0, -1, split)
    if kind == "cell":
        n = len(cells.condition)
        split = stratified(np.full(n, -1), cells.condition.astype(np.int64), np.arange(n),
                           settings.val, settings.test, settings.seed)  # fmt: skip
    else:
        parts = _by_gene(cells, settings) if kind == "perturbation" else _combined(cells, settings)
        split = np.array(parts)[cells.condition]
    split[cells.control] = _controls(cells, settings)
    return np.where(cells.condition < 0, -1, split)


def _by_gene(cells: Cells, settings: ExpressionSplit) -> list[int]:
    """Part of each condition: that of its gene which is held out furthest."""
    return _with_genes(cells, _draw(_genes(cells), settings, "perturbed genes", "genes"))


def _with_genes(cells: Cells, part: dict[str, int]) -> list[int]:
    return [max((part.get(p.gene, 0) for p in parts), default=0) for parts in cells.conditions]


def _combined(cells: Cells, settings: ExpressionSplit) -> list[int]:
    """Part of each condition: by genes kept out of training, then by combinations of the others."""
    held: dict[str, int] = {}
    if settings.unseen_genes:
        share = settings.unseen_genes / 2
        halves = settings.model_copy(
            update={"val": share, "test": share, "val_units": (), "test_units": ()}
        )
        held = _draw(_genes(cells), halves, "perturbed genes", "unseen genes")
    parts = _with_genes(cells, held)
    names = cells.names()
    present = set(np.unique(cells.condition[cells.condition > 0]).tolist())
    left = sorted({names[i] for i in present if parts[i] == 0 and len(cells.conditions[i]) > 1})
    enough = len(left) > 1 or not held  # the genes held out may have taken the combinations with them
    drawn = _draw(left, settings, "combinations", "combinations", keep=0) if enough else {}
    return [drawn.get(name, part) for name, part in zip(names, parts, strict=True)]


def _genes(cells: Cells) -> list[str]:
    present = np.unique(cells.condition[cells.condition > 0])
    return sorted({part.gene for i in present for part in cells.conditions[i]})


def _draw(
    names: list[str], settings: ExpressionSplit, what: str, purpose: str, keep: int = 1
) -> dict[str, int]:
    """Part of each name that leaves training: the listed ones, or a seeded share, at least one each.
    ``keep`` names must stay."""
    part: dict[str, int] = {}
    for code, listed in ((VAL, settings.val_units), (TEST, settings.test_units)):
        for name in listed:
            if name not in names:
                raise InputError(
                    f"split.{SPLITS[code]}_units: found {name!r}, which is none of the {len(names)} "
                    f"{what}; {nearest(name, names)}"
                )
            part[name] = code
    pool = [name for name in names if name not in part]
    draw = draws.generator(settings.seed, f"expression split: {purpose}")
    pool = [pool[i] for i in draw.permutation(len(pool))]
    for code, share, listed in (
        (TEST, settings.test, settings.test_units),
        (VAL, settings.val, settings.val_units),
    ):
        n = 0 if listed else max(1, round(share * len(names)))
        part |= dict.fromkeys(pool[:n], code)
        pool = pool[n:]
    counts = [list(part.values()).count(code) for code in (VAL, TEST)]
    if len(names) >= 2 + keep and len(names) - len(part) < keep and all(counts):
        raise InputError(
            f"split: val and test take {counts[0]} and {counts[1]} of {len(names)} {what} and leave "
            "none to train on; lower split.val and split.test, or name fewer in val_units and test_units"
        )
    if len(names) - len(part) < keep or not all(counts):
        fix = f"name their column in keys.{settings.kind}"
        if settings.kind not in ("context", "batch"):
            fix = "lower min_cells"
        raise InputError(
            f"split.kind {settings.kind}: found {len(names)} {what}, expected at least {2 + keep} so "
            f"that {'train, ' * keep}val and test have one each; choose another kind, or {fix}"
        )
    return part


def _controls(cells: Cells, settings: ExpressionSplit) -> np.ndarray:
    """Parts of the controls, drawn within each context and batch; strata of under 3 are pooled."""
    rows = np.flatnonzero(cells.control)
    if len(rows) < 3:
        raise InputError(f"{len(rows)} control cells, expected at least 3 (train, val and test have "
                         "their own)")  # fmt: skip
    strata = cells.context[rows].astype(np.int64) * len(cells.batches) + cells.batch[rows]
    strata, member = np.unique(strata, return_inverse=True)
    small = np.bincount(member)[member] < 3
    member = np.where(small, -1, member)
    n = len(rows)
    return stratified(np.full(n, -1), member, np.arange(n), settings.val, settings.test, settings.seed)


def groups(cells: Cells, rows: np.ndarray, split: np.ndarray, kind: str) -> list[str]:
    """Name of the unit of each row that stays on one side; controls are a unit in each part."""
    if kind == "context":
        return [cells.contexts[c] for c in cells.context[rows]]
    if kind == "batch":
        return [cells.batches[c] for c in cells.batch[rows]]
    if kind == "cell":
        return [str(row) for row in rows.tolist()]
    names = cells.names()
    return [
        f"{CONTROL} ({SPLITS[s]})" if c == 0 else names[c]
        for c, s in zip(cells.condition[rows].tolist(), split.tolist(), strict=True)
    ]


def subgroups(cells: Cells, split: np.ndarray) -> dict[str, dict[str, object]]:
    """What each perturbation is to the training part, by name.

    Returns:
        for each: genes, cells, and in which parts it is; subgroup is "seen" where it is trained on,
        else "unseen single" or "seen0", "seen1", ..., the number of its genes that any training
        perturbation has; singles is how many of them are trained on alone, which additive baselines
        need.
    """
    inside = (split >= 0) & (cells.condition > 0)
    trained = [cells.conditions[i] for i in np.unique(cells.condition[inside & (split == 0)])]
    trained_genes = {part.gene for parts in trained for part in parts}
    alone = {parts[0].gene for parts in trained if len(parts) == 1}
    named = cells.names()
    found: dict[str, dict[str, object]] = {}
    pairs, counts = np.unique(
        np.stack([cells.condition[inside], split[inside]]), axis=1, return_counts=True
    )
    for (condition, part), count in zip(pairs.T.tolist(), counts.tolist(), strict=True):
        genes = [p.gene for p in cells.conditions[condition]]
        entry = found.setdefault(
            named[condition],
            {
                "genes": genes,
                "cells": dict.fromkeys(SPLITS, 0),
                "subgroup": f"seen{len(trained_genes & set(genes))}"
                if len(genes) > 1
                else "unseen single",
                "genes_seen": len(trained_genes & set(genes)),
                "singles_seen": len(alone & set(genes)),
            },
        )
        entry["cells"][SPLITS[part]] += count
    for entry in found.values():
        if entry["cells"]["train"]:
            entry["subgroup"] = "seen"
    return dict(sorted(found.items()))
