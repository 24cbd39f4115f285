"""How each trained experiment stands against its floors, and against the other trained ones."""

from itertools import combinations
from typing import Any

import numpy as np

from ..metrics.comparison import holm, paired, verdict
from .grouping import Row

MEASURES = {"logistic": "all labels", "few10": "10 labels a class"}
KINDS = {
    "majority": "majority class",
    "raw": "raw input",
    "pca": "PCA",
    "untrained": "untrained encoder",
}


def floors(rows: list[Row]) -> list[Row]:
    """The rows that are not trained, and the majority class of each data set that has labels."""
    of_data = dict.fromkeys(row.data for row in rows)
    return [r for r in rows if not r.trained] + [m for data in of_data for m in _majority(rows, data)]


def _majority(rows: list[Row], data: str) -> list[Row]:
    """Always guessing the class most frequent in train and val."""
    probed = [e for r in rows if r.data == data for e in r.members if e["probe"].get("majority")]
    if not probed:
        return []
    first = probed[0]
    guess = first["probe"]["majority"]["class"]
    member = {
        "name": "majority class",
        "index": first["index"],
        "correct": {"logistic": (first["label"] == guess).astype(float)},
        "probe": {"logistic": first["probe"]["majority"]},
    }
    return [Row("majority class", "majority", data, (member,))]


def standings(rows: list[Row], against: list[Row]) -> list[dict[str, Any]]:
    """Every trained row against every floor on its data, then trained rows by twos (kind "jepa"), by
    both measures.

    Verdicts hold for all comparisons together: p values are adjusted by Holm's method over the list.
    """
    trained = [row for row in rows if row.trained]
    sides = [(row, floor, floor_label(floor, against)) for row in trained for floor in against]
    sides += [(one, other, other.label) for one, other in combinations(trained, 2)]
    found = []
    for row, other, name in sides:
        for measure, label in MEASURES.items():
            one = _compare(row, other, measure) if row.data == other.data else None
            if one:
                found.append({"row": row, "floor": name, "kind": other.kind, "measure": label, **one})
    for one, adjusted in zip(found, holm([one["p"] for one in found]), strict=True):
        one["adjusted_p"] = adjusted
        one["says"] = verdict(one["low"], one["high"], adjusted)
    return found


def _compare(row: Row, floor: Row, measure: str) -> dict[str, Any] | None:
    a, b = row.correct(measure), floor.correct(measure)
    if not a or not b or not np.array_equal(row.members[0]["index"], floor.members[0]["index"]):
        return None
    return paired(a, b, row.members[0]["group"])


def floor_label(floor: Row, against: list[Row]) -> str:
    """What kind of floor it is; its name where the data have several of the kind."""
    alike = [f for f in against if (f.data, f.kind) == (floor.data, floor.kind)]
    return KINDS[floor.kind] if len(alike) == 1 else floor.label
