"""What the manifest of a prepared screen says."""

import hashlib
from collections import Counter
from typing import Any

import numpy as np

from ..splits import SPLITS
from .labels import Cells
from .preprocess import Transform
from .survey import Survey


def findings(
    cells: Cells, measured: Survey, transform: Transform, dropped: dict[str, int]
) -> dict[str, Any]:
    """What was detected, left out and measured."""
    fitted, kind = np.flatnonzero(measured.fitted), measured.input
    return {
        "detected": {**cells.log, "dropped_cells": {**cells.log["dropped_cells"], **dropped}},
        "input": {"kind": kind, "target_sum": transform.total if kind == "counts" else None},
        "genes": {
            "measured": len(cells.genes),
            "kept": len(transform.columns),
            "variable": int(transform.variable.sum()),
            "perturbed": int(transform.perturbed.sum()),
        },
        "statistics": {
            "fitted_on": "train",
            "cells": len(fitted),
            "cells_sha256": hashlib.sha256(fitted.astype("<i8").tobytes()).hexdigest(),
        },
    }


def counts(cells: Cells, rows: np.ndarray) -> dict[str, Any]:
    """How much of what a part has; rows int64, its cells in the source."""
    condition = cells.condition[rows]
    names = cells.names()
    return {
        "cells": len(rows),
        "controls": int((condition == 0).sum()),
        "perturbations": len({names[c] for c in np.unique(condition) if c > 0}),
        "contexts": sorted(cells.contexts[c] for c in np.unique(cells.context[rows])),
        "batches": len(np.unique(cells.batch[rows])),
    }


def subgroup_counts(perturbations: dict[str, dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Perturbations of each subgroup, by part."""
    return {
        name: dict(sorted(Counter(p["subgroup"] for p in perturbations.values()
                                  if p["cells"][name]).items()))
        for name in SPLITS
    }  # fmt: skip
