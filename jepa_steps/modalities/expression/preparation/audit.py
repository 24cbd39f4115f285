"""The leak audit: what must hold between training and the rest, checked on what was written.

Each check says what it found and what it expected; the step fails where one does not hold.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ....data.splits import SPLITS
from ..encoding import Vocabulary
from ..pairing import Pools, RandomPairing
from .labels import Cells


@dataclass(frozen=True)
class Audited:
    """What the audit looks at: n rows of the store, in its order.

    rows: int64 (n,), cell of the source. split: int64 (n,). kind: of the split.
    group: codes int64 (n,) of the units that must stay on one side.
    cells: annotations of all cells of the source.
    fitted: int64, cells of the source that statistics were fitted on.
    copies: cells of val and test equal to a training cell.
    alike: names of val and test beside those before them that may mean the same target.
    """

    rows: np.ndarray
    split: np.ndarray
    group: np.ndarray
    kind: str
    cells: Cells
    fitted: np.ndarray
    copies: int
    alike: list[tuple[str, str]]
    vocabulary: Vocabulary
    pools: Pools
    seed: int


def audit(a: Audited) -> list[dict[str, Any]]:
    """The checks as name, passed, found, expected."""
    condition = a.cells.condition[a.rows]
    checks = [_each_part(a, "perturbed", condition > 0), _each_part(a, "controls", condition == 0)]
    crossing: dict[str, np.ndarray] = {
        "cells in two parts": a.rows,
        "control cells in two parts": np.where(condition == 0, a.rows, -1),
        "units in two parts": a.group,
        _UNIT[a.kind]: _held_apart(a, condition),
    }
    checks += [_none(name, _across(code, a.split)) for name, code in crossing.items()]
    if a.kind == "perturbation":
        checks += [
            _none("val perturbations without a gene new to training", _nothing_new(a, condition, 1)),
            _none(
                "test perturbations without a gene new to train and val", _nothing_new(a, condition, 2)
            ),
        ]
    checks.append(_none("val and test names that may mean a target trained on", len(a.alike)))
    outside = int(np.isin(a.rows[a.split > 0], a.fitted).sum())
    checks.append(_none("val and test cells in the statistics", outside))
    genes = _genes(a.cells, condition[a.split == 0])
    checks.append(
        _none("vocabulary genes not perturbed in training", len(set(a.vocabulary.genes) - genes))
    )
    checks.append(_none("val and test cells equal to a training cell", a.copies))
    perturbed = np.flatnonzero(condition > 0)
    pair = RandomPairing(a.pools, a.seed)(0, perturbed)
    wrong = (a.split[pair] != a.split[perturbed]) | (condition[pair] != 0)
    checks.append(_none("pairs with a control of another part", int(wrong.sum())))
    return checks


_UNIT = {
    "perturbation": "perturbations in two parts",
    "combination": "perturbations held out and trained on",
    "context": "contexts in two parts",
    "batch": "batches in two parts",
    "cell": "perturbations in two parts",
}


def _held_apart(a: Audited, condition: np.ndarray) -> np.ndarray:
    """Codes that the kind of split keeps on one side, -1 where it says nothing."""
    if a.kind == "context":
        return a.cells.context[a.rows]
    if a.kind == "batch":
        return a.cells.batch[a.rows]
    names = np.unique(a.cells.names(), return_inverse=True)[1]
    return np.where(condition > 0, names[condition], -1)


def _none(name: str, found: int) -> dict[str, Any]:
    return {"name": name, "passed": found == 0, "found": found, "expected": 0}


def _each_part(a: Audited, what: str, member: np.ndarray) -> dict[str, Any]:
    counts = {name: int((member & (a.split == i)).sum()) for i, name in enumerate(SPLITS)}
    return {"name": f"{what} in each part", "passed": min(counts.values()) > 0, "found": counts,
            "expected": "at least 1 each"}  # fmt: skip


def _across(code: np.ndarray, split: np.ndarray) -> int:
    """Values of ``code``, -1 aside, that stand in more than one part."""
    pairs = np.unique(np.stack([code, split])[:, code >= 0], axis=1)
    return int((np.unique(pairs[0], return_counts=True)[1] > 1).sum())


def _genes(cells: Cells, condition: np.ndarray) -> set[str]:
    return {part.gene for c in np.unique(condition) for part in cells.conditions[c]}


def _nothing_new(a: Audited, condition: np.ndarray, part: int) -> int:
    """Conditions of a part all of whose genes stand in the parts before it."""
    before = _genes(a.cells, condition[a.split < part])
    present = np.unique(condition[(a.split == part) & (condition > 0)])
    return sum({p.gene for p in a.cells.conditions[c]} <= before for c in present)
