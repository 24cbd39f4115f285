"""How each trained experiment stands against its floors, and against the other trained ones."""

from itertools import combinations
from typing import Any

import numpy as np

from ..metrics.comparison import FEWEST_GROUPS, SIGNIFICANCE, holm, how_many, paired, verdict
from .grouping import Row, listed

MEASURES = {"logistic": "all labels", "few10": "10 labels per class"}
# Floors that every probe step measures beside its embeddings: no experiments of their own.
GUESSES = {
    "majority": "always the same guess",
    "covariates": "a probe of known columns alone; scores above it show what the sample's values add",
}
# Floors at chance level, that experiments of their own measure.
SHUFFLED = "shuffled labels"
# Floors made of the embeddings they stand beside: to be as good as these is no fault.
OF_THE_SAME = ("random projection",)
# A kind of data may have floors of its own, whose kind says what they are.
KINDS = {
    "majority": "majority class",
    "covariates": "{} alone",
    "raw": "raw input",
    "pca": "PCA",
    "untrained": "untrained encoder",
    "start": "start of training",
}


def floors(rows: list[Row]) -> list[Row]:
    """The rows that are not trained, and the guesses about each data set that has labels."""
    of_data = dict.fromkeys(row.data for row in rows)
    guesses = [_guess(rows, data, kind, len(of_data) > 1) for data in of_data for kind in GUESSES]
    return [r for r in rows if not r.trained] + [guess for guess in guesses if guess]


def _guess(rows: list[Row], data: str, kind: str, several: bool) -> Row | None:
    """A floor as the first experiment on the data that was probed measured it; of several data sets it
    says which."""
    probed = (e for r in rows if r.data == data for e in r.members if e["probe"].get(kind))
    first = next(probed, None)
    if first is None:
        return None
    score = first["probe"][kind]
    right = first["label"] == score["class"] if kind == "majority" else first["correct"][kind]
    kind_name = KINDS[kind].format(listed(score.get("names", [])))
    member = {
        "name": kind_name,
        "index": first["index"],
        "correct": {"logistic": right.astype(float)},
        "probe": {"logistic": score},
    }
    folder = (first["data_folder"] or data[:12]).rsplit("/", 1)[-1]
    return Row(f"{kind_name}, {folder}" if several else kind_name, kind, data, (member,))


def standings(rows: list[Row], against: list[Row]) -> list[dict[str, Any]]:
    """Every trained row against every floor on its data, then trained rows by twos (a kind that is
    judged), by both measures.

    Verdicts hold for all comparisons together: p values are adjusted by Holm's method over the list.
    """
    trained = [row for row in rows if row.trained]
    sides = [
        (row, floor, _called(row, floor, against))
        for row in trained
        for floor in against
        if _is_floor_of(row, floor)
    ]
    sides += [(one, other, other.label) for one, other in combinations(trained, 2)]
    comparisons = []
    for row, other, name in sides:
        for measure, label in MEASURES.items():
            one = _compare(row, other, measure) if row.data == other.data else None
            if one:
                comparisons.append(
                    {"row": row, "floor": name, "kind": other.kind, "measure": label, **one}
                )
    for one, adjusted in zip(comparisons, holm([one["p"] for one in comparisons]), strict=True):
        one["adjusted_p"] = adjusted
        one["says"] = verdict(one["low"], one["high"], adjusted, one["groups"])
        one["why"] = _why(one, len(comparisons))
    return comparisons


def _called(row: Row, floor: Row, against: list[Row]) -> str:
    """What a floor is called beside a row. Of an untrained encoder it says whether the architecture is
    another, as training is then not all that differs."""
    name = floor_label(floor, against)
    mine, its = (r.members[0].get("train", {}).get("model") for r in (row, floor))
    other = floor.kind == "untrained" and None not in (mine, its) and mine != its
    return f"{name} (another model)" if other else name


def _is_floor_of(row: Row, floor: Row) -> bool:
    """A start is the floor of the runs that begin from it, and published weights untrained of the same
    weights trained."""
    mine, its = (r.members[0].get("train", {}) for r in (row, floor))
    return all(its[key] == mine.get(key) for key in ("init", "path") if its.get(key))


def _why(one: dict[str, Any], comparisons: int) -> str:
    """What leaves a verdict undecided where groups are few, for one comparison or for as many; ""
    otherwise."""
    unit = one["row"].members[0]["probe"].get("groups", {}).get("unit", "group")
    groups = how_many(one["groups"], f"test {unit}")
    if one["groups"] < FEWEST_GROUPS:
        return f" ({groups})"
    # No pattern of signs is rarer than this, and Holm's method multiplies it.
    if one["says"] == "undecided" and comparisons * 2.0 ** (1 - one["groups"]) >= SIGNIFICANCE:
        return f" ({groups} cannot decide {comparisons} comparisons)"
    return ""


def _compare(row: Row, floor: Row, measure: str) -> dict[str, Any] | None:
    a, b = row.correct(measure), floor.correct(measure)
    if not a or not b or not np.array_equal(row.members[0]["index"], floor.members[0]["index"]):
        return None
    return paired(a, b, row.members[0]["group"])


def floor_label(floor: Row, against: list[Row]) -> str:
    """What kind of floor it is; its name where the data have several of the kind."""
    alike = [f for f in against if (f.data, f.kind) == (floor.data, floor.kind)]
    if len(alike) > 1:
        return floor.label
    return floor.members[0]["name"] if floor.kind in GUESSES else KINDS.get(floor.kind, floor.kind)
