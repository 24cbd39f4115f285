"""Tables of what embeddings are asked for beside the label: each experiment next to its floors."""

from typing import Any

from .grouping import Row, dig


def tables(rows: list[Row]) -> list[dict[str, Any]]:
    """A table for each target of the experiments of one data set, in order of appearance.

    Each has name, kind (classes or numbers), nuisance, n (test samples), interval (how it was obtained;
    "" of numbers), majority (accuracy of always the same guess), reason (why nothing was probed, which
    is of the data and so the same for all), lines of (row, scores by column), and tells (for each line,
    whether embeddings tell what they should not).
    """
    found: dict[str, list[Row]] = {}
    for row in rows:
        for name in dig(row.members[0], "probe", "of_targets") or {}:
            found.setdefault(name, []).append(row)
    return [_table(name, of) for name, of in found.items()]


def _table(name: str, rows: list[Row]) -> dict[str, Any]:
    first = rows[0].members[0]["probe"]["of_targets"][name]
    at, classes = ("of_targets", name), first["kind"] == "classes"
    lines = []
    for row in rows:
        scores = (
            [row.score(*at, "logistic"), row.score(*at, "few_label", "10"), row.score(*at, "knn")]
            if classes
            else [row.score(*at, measure="r2")]
        )
        lines.append((row, scores))
    return {
        "name": name,
        "kind": first["kind"],
        "nuisance": first["nuisance"],
        "n": dig(first, "n", "test"),
        "interval": first.get("interval", ""),
        "majority": dig(first, "majority", "accuracy"),
        "reason": first.get("reason"),
        "new": first.get("of_new_classes", 0),
        "lines": lines,
        "tells": [first["nuisance"] and all(map(told, _found(row, name))) for row in rows],
    }


def _found(row: Row, name: str) -> list[dict[str, Any]]:
    """What the probes of a target found, by seed."""
    return [e["probe"]["of_targets"][name] for e in row.members]


def told(found: dict[str, Any]) -> bool:
    """Whether embeddings tell a target: the interval of the linear probe lies above the accuracy of
    every guess that is the same for all of test, that of a regression above 0. The majority class of
    train may be missing in test, where whole groups are held out; to beat it then says nothing."""
    if "reason" in found:
        return False
    if found["kind"] == "numbers":
        low, floor = found["r2_interval"][0], 0.0
    else:
        low, floor = dig(found, "logistic", "accuracy_interval")[0], found["best_constant"]
    return low is not None and low > floor
