"""Experiments that are equal but for their training seed count as one."""

import json
import math
import re
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np

from ..config import JUDGED
from ..metrics.comparison import over_seeds


@dataclass(frozen=True)
class Row:
    """One line of the comparison: an experiment, or several that differ in train.seed only.

    name: of the experiment, or what the names have in common. kind: of the encoder. data: sha256 of
    the splits all members were judged on. members: the experiments, in the order given.
    """

    name: str
    kind: str
    data: str
    members: tuple[dict[str, Any], ...]

    @property
    def seeds(self) -> int:
        return len(self.members)

    @property
    def trained(self) -> bool:
        """Whether it gets a verdict: trained here or elsewhere, no floor."""
        return self.kind in JUDGED

    @property
    def label(self) -> str:
        return self.name if self.seeds == 1 else f"{self.name} ×{self.seeds} seeds"

    def correct(self, measure: str) -> list[np.ndarray]:
        """Share of correct predictions by test sample, one array a seed; [] where not probed."""
        found = [e["correct"].get(measure) for e in self.members]
        return [] if any(c is None for c in found) else found

    def score(self, *path: str, measure: str = "accuracy") -> dict[str, float | None] | None:
        """Accuracy of the probe at ``path`` in probe.json with its 95 % interval: of one seed as the
        probe gave it (over test samples), of several the mean and Student's t over seeds. low and high
        are None where all is possible. ``measure``: accuracy or r2."""
        parts = [dig(e["probe"], *path) for e in self.members]
        if any(part is None or measure not in part for part in parts):
            return None
        if self.seeds == 1:
            low, high = parts[0][f"{measure}_interval"]
            return {"value": parts[0][measure], "low": low, "high": high}
        values, least = [part[measure] for part in parts], 0.0 if measure == "accuracy" else -math.inf
        low, high = (min(max(end, least), 1.0) for end in over_seeds(values))
        none = (low, high) == (0, 1)  # all of the scale: two seeds far apart say nothing
        ends = {"low": None if none else low, "high": None if none else high}
        return {"value": float(np.mean(values)), **ends}


def group(experiments: list[dict[str, Any]]) -> list[Row]:
    """Rows in order of first appearance.

    Members agree in all prepared files (the same splits may be of images of another size), in every
    training setting but the seed, in pooling and in how the probes were made. A second run of one seed
    (on other machines) is a row of its own: it says nothing about other seeds. Of each experiment are
    read: name, kind, train (plain settings), data, files, embed, probe.
    """
    together: dict[str, list[dict[str, Any]]] = {}
    for e in experiments:
        key = _key(e)
        while any(one["train"].get("seed") == e["train"].get("seed") for one in together.get(key, [])):
            key += ", again"
        together.setdefault(key, []).append(e)
    names = _names([[e["name"] for e in members] for members in together.values()])
    return [
        Row(name, members[0]["kind"], members[0]["data"], tuple(members))
        for name, members in zip(names, together.values(), strict=True)
    ]


def _key(e: dict[str, Any]) -> str:
    train = {name: value for name, value in e["train"].items() if name != "seed"}
    if "seed" not in e["train"]:  # nothing random in it: never a seed of another
        train["name"] = e["name"]
    few = {k: point.get("draws") for k, point in (e["probe"].get("few_label") or {}).items()}
    how = [e["files"], e["embed"].get("pooling"), e["probe"].get("n"), e["probe"].get("interval"), few]
    return json.dumps([train, how], sort_keys=True)


def _start(names: list[str]) -> str:
    """What all names begin with, less a trailing "-seed", separators and digits."""
    same = (len(set(letters)) == 1 for letters in zip(*names, strict=False))
    length = sum(1 for _ in takewhile(bool, same))
    return re.sub(r"([-_ ]+(seed|s)?[-_ ]*\d*|\d+)$", "", names[0][:length])


def _names(groups: list[list[str]]) -> list[str]:
    """A name for each group: the names' common start without "-seed"; the first where it is taken."""
    common = [names[0] if len(names) == 1 else _start(names) for names in groups]
    return [
        name if name and common.count(name) == 1 else names[0]
        for name, names in zip(common, groups, strict=True)
    ]


def dig(tree: Any, *path: str) -> Any:
    """The value at a path of keys; None as soon as one is absent or null."""
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def listed(names: list[str]) -> str:
    """Names as a sentence has them: a, b and c."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def one_token(e: dict[str, Any]) -> bool:
    """Whether a sample is a single token: then there are no positions to tell."""
    tokens = e["monitor"]["tokens"] or {}
    return tokens.get("n") is not None and tokens["n"] == tokens.get("samples")
