"""Probes of what a data set asks for beside the label: other columns, of classes or of numbers.

Shapes: N samples of all parts, D dimensions, m test samples.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import panel

FIELDS = ("target", "index", "group", "label", "logistic", "few10")
Settings = Any  # of the probes, as ``config.Probe`` has them
Splits = Any  # as ``data.splits.Splits``


def probe_targets(
    rows: np.ndarray, table: Splits, parts: list[np.ndarray], settings: Settings
) -> tuple[dict[str, Any], list[list[object]]]:
    """Scores by target, and a line of targets.csv for each test sample of a target of classes: its name,
    that of the class predicted with all labels, and the share of draws of 10 labels per class that are
    right.

    Of classes the scores are those of the label's probes, and ``best_constant``, the accuracy of the
    same guess for all of test that is right most often; of numbers ``r2`` with its interval. Where
    nothing can be said, ``reason`` says why.

    Args:
        rows: embeddings (N, D).
        table: of the N samples.
        parts: sample numbers of train, val and test.
    """
    found, lines = {}, []
    for name, target in table.targets.items():
        what = {"kind": target.kind, "nuisance": target.nuisance}
        if target.kind == "numbers":
            scores = panel.judge_target(rows, target.values, parts, table.groups, settings)
            found[name] = {
                **what,
                **(scores or {"reason": "fewer than three different values in a part"}),
            }
            continue
        judged = panel.judge_classes(rows, target.values, parts, table.groups, settings)
        if isinstance(judged, str):
            found[name] = {**what, "reason": judged}
            continue
        known, predictions, scores = judged
        test, train = known[2], np.unique(target.values[known[0]])
        new = int((~np.isin(target.values[test], train)).sum())
        named = table.named_groups
        groups = table.groups[test] if named else test
        interval = panel.explain_intervals(groups, named, table.unit, settings)
        names = {"classes": [target.classes[c] for c in scores["classes"]], "of_new_classes": new}
        constant = float(np.bincount(target.values[test]).max() / len(test))
        found[name] = {**what, **scores, **names, "best_constant": constant, "interval": interval}
        lines += [[name, *line] for line in _answers(table, target, test, predictions)]
    return found, lines


def _answers(
    table: Splits, target: Any, test: np.ndarray, predictions: dict[str, np.ndarray]
) -> Iterator[list[object]]:
    """Index, group, label, predicted label, share of right few-label draws ("" where there are none)."""
    y = target.values[test]
    draws = [found for name, found in predictions.items() if name.startswith("few10_")]
    few = np.mean([found == y for found in draws], 0).tolist() if draws else [""] * len(test)
    for row, label, predicted, share in zip(
        test.tolist(), y.tolist(), predictions["logistic"].tolist(), few, strict=True
    ):
        group = table.group_names[table.groups[row]] if table.named_groups else row
        yield [row, group, target.classes[label], target.classes[predicted], share]
