"""What the manifest of a prepared screen says."""

import hashlib
from collections import Counter
from typing import Any

import numpy as np

from ....data.splits import SPLITS
from .labels import Cells
from .preprocess import Transform
from .stems import remedy
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


def spoken(manifest: dict[str, Any], audit: dict[str, Any]) -> list[str]:
    """What was found in a screen, left out and audited, in a few lines for the terminal."""
    found, genes = manifest["detected"], manifest["genes"]
    controls = [f"{text} ({n})" for text, n in found["control_labels"].items()]
    noted = [f"note: {manifest['note']}"] if manifest["note"] else []
    if manifest["no_genes"]:
        what = _few([f"{kind} ({n})" for kind, n in manifest["no_genes"].items()])
        noted.append(f"left out of the matrix, because they are not genes: {what}")
    if found["other_labels"]:
        noted.append(
            f"perturbations are read from {found['keys']['perturbation']}, although there is "
            f"{_few(found['other_labels'])}, too; keys.perturbation chooses"
        )
    if manifest["targets"]:
        noted.append(f"probes also predict: {', '.join(manifest['targets'])}")
    if found["doses"]:
        noted.append(f"doses: {found['doses']}")
    if alike := manifest["alike"]:
        given = manifest["settings"]["label_pattern"]
        noted.append(
            f"{len(alike)} perturbations may have the target of another, e.g. {alike[0][0]} and "
            f"{alike[0][1]}; treated as different: "
            + ("correct label_pattern if they are one" if given else remedy(alike))
        )
    return [
        "cells: " + "; ".join(f"{name} {_part(c)}" for name, c in manifest["counts"].items()),
        f"genes: {genes['kept']} of {genes['measured']} kept ({genes['variable']} variable, "
        f"{genes['perturbed']} perturbed); values read as {manifest['input']['kind']}"
        f"{counts_known(manifest['input'])}",
        "keys: "
        + ", ".join(
            f"{what} = {key or 'none'}" for what, key in found["keys"].items() if key or what != "unit"
        ),
        f"control labels: {_few(controls)}; combinations: {_combinations(found)}",
        f"left out: {_left_out(found)}",
        f"controls to pair with: {_pairing(manifest['pairing'])}",
        *noted,
        _verdict(audit["checks"], manifest["settings"]["split"]["kind"]),
    ]


def counts_known(values: dict[str, Any]) -> str:
    """Whether counts can be had back from values that are none, as the end of a sentence."""
    found = values.get("counts")
    if found is None:  # prepared before this was looked at
        return ""
    off = f", rounded in {found['inexact_cells']} cells" if found["inexact_cells"] else ""
    return {
        "given": "",
        "recovered": f", counts recovered from them{off}",
        "none": ", from which counts cannot be recovered",
    }[found["kind"]]


def _part(c: dict[str, Any]) -> str:
    return f"{c['cells']} ({c['controls']} controls, {c['perturbations']} perturbations)"


def _few(texts: list[str]) -> str:
    return ", ".join(texts[:5]) + (f" and {len(texts) - 5} more" if len(texts) > 5 else "")


def _combinations(found: dict[str, Any]) -> str:
    combined = found["combinations"]
    return f"{len(combined)}" + (f", e.g. {min(combined)}" if combined else "")


def _left_out(found: dict[str, Any]) -> str:
    reasons = [f"{n} cells by {reason}" for reason, n in found["dropped_cells"].items() if n]
    if small := found["dropped_perturbations"]:
        reasons.append("perturbations " + _few([f"{name} ({n} cells)" for name, n in small.items()]))
    return ", ".join(reasons) or "nothing"


def _pairing(levels: dict[str, dict[str, int]]) -> str:
    """Perturbed cells by where their controls are, over all parts."""
    total = sum((Counter(part) for part in levels.values()), Counter())
    places = {"batch and context": "in their batch and context", "context": "in their context only",
              "any": "in another context only"}  # fmt: skip
    return ", ".join(f"for {total[at]} cells {place}" for at, place in places.items() if total[at])


def _verdict(checks: list[dict[str, Any]], kind: str) -> str:
    failed = [check for check in checks if not check["passed"]]
    if not failed:
        return f"leak audit: {len(checks)} checks passed"
    what = "; ".join(f"{c['name']}: found {c['found']}, expected {c['expected']}" for c in failed)
    return (
        f"LEAKY SPLIT ({kind}, allowed by allow_leaky): {what}. Scores on it measure recall of "
        "training, not prediction"
    )
