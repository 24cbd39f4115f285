"""The comparison as tables: rows of numbers, and Markdown for terminals and GitHub."""

import unicodedata
from typing import Any

import numpy as np

from ..metrics.comparison import FEWEST_GROUPS
from . import words
from .blocks import evaluation, leaks
from .grouping import Row, dig
from .standing import GUESSES, MEASURES

FEW = ("1", "5", "10", "100")
PROBES = ("logistic", "ridge", "knn", "attentive")
_COMPARED = {
    "linear_probe": "logistic",
    "ten_labels": "few10",
    "knn": "knn",
    "majority": "majority",
    "effective_rank": "effective_rank",
}


def summary_row(row: Row) -> dict[str, Any]:
    """One flat row: means over seeds; intervals of the linear probe and of 10 labels per class."""
    verdicts = list(dict.fromkeys(e["monitor"]["verdict"] for e in row.members))
    values: dict[str, Any] = {
        "experiment": row.name,
        "encoder": row.kind,
        "seeds": row.seeds,
        "verdict": " / ".join(verdicts),
    }
    for name in PROBES:
        values[name] = _value(row.score(name))
    values |= _interval("logistic", row.score("logistic"))
    for k in FEW:
        values[f"few{k}"] = _value(row.score("few_label", k))
    values |= _interval("few10", row.score("few_label", "10"))
    values |= {name: _value(row.score(name)) for name in GUESSES}
    values["n_test"] = (row.members[0]["probe"].get("n") or {}).get("test")
    values["effective_rank"] = _mean(row, "rank", "pooled", "centred", "effective_rank")
    values["rankme"] = _mean(row, "rank", "pooled", "raw", "rankme")
    values["lidar"] = _mean(row, "rank", "lidar", "lidar")
    values |= {"dim": _mean(row, "rank", "pooled", "dim"), "n_rank": _mean(row, "rank", "pooled", "n")}
    values["final_loss"] = _mean(row, "monitor", "final_loss")
    values["wall_seconds"] = _mean(row, "training", "run", "wall_seconds")
    values["gpu_hours"] = _mean(row, "training", "run", "gpu_hours")
    return values


def metrics(row: dict[str, Any]) -> dict[str, Any]:
    """The few numbers of a summary row that people compare, for DVC; 0 to 1 but the rank."""
    return {name: row[key] for name, key in _COMPARED.items() if row[key] is not None}


def markdown(rows: list[Row], standings: list[dict[str, Any]], how: list[str]) -> str:
    """A table aligned for reading as plain text, what beats what, and how intervals were obtained.

    Args:
        rows: with the guesses among them.
    """
    head = ["experiment", "verdict", "linear probe", "10 labels", "kNN", "eff. rank", "n test"]
    table = [_guess(row) if row.kind in GUESSES else _line(row, standings) for row in rows]
    lines = _aligned(head, table)
    lines += ["", "Test accuracy in % with 95 % intervals."]
    lines += [f"- **LEAK** in {_plain(folder)}: {_plain(text)}." for folder, text in leaky(rows)]
    for one in standings:
        lines.append(
            f"- **{_plain(one['row'].label)}** {one['says']}{one['why']} {_plain(one['floor'])} "
            f"({one['measure']}): {one['points']:+.1f} points {_ends(one)}, "
            f"p = {one['adjusted_p']:.3g}, n = {one['n']}"
        )
    lines += [line for row in rows if row.trained for e in row.members for line in _predicted(e)]
    return "\n".join([*lines, "", *how]) + "\n"


def _predicted(e: dict[str, Any]) -> list[str]:
    """A line for each metric of what an experiment predicts, beside its best baseline."""
    found = evaluation(e)
    if found is None:
        return []
    leak = f"; LEAKY: {found['leak']}" if found["leaky"] else ""
    return [
        f"- **{_plain(e['name'])}** predicts, {_plain(v['metric'])}: {v['says']}{v['why']} "
        f"{_plain(v['baseline'])}, difference {v['difference']} [{v['interval']}], n = {v['n']}{leak}"
        for v in found["verdicts"]
    ]


def _ends(one: dict[str, Any]) -> str:
    """The interval of a comparison, and what it is of where groups are too few to be resampled."""
    if one["low"] is None:
        return "[no interval]"
    within = " over samples within groups" if one["within"] else ""
    return f"[{one['low']:+.1f}, {one['high']:+.1f}]{within}"


def leaky(rows: list[Row]) -> list[tuple[str, str]]:
    """(data folder, sentence) of every leak in the data of the rows."""
    found = [(row.members[0].get("data_folder") or row.data[:12], leaks(row)) for row in rows]
    return list(dict.fromkeys((folder, text) for folder, texts in found for text in texts))


def _line(row: Row, standings: list[dict[str, Any]]) -> list[str]:
    """Of a judged row the title of its card, which knows the floors."""
    flat = summary_row(row)
    verdict = words.card(row, standings)["title"].lower() if row.trained else flat["verdict"]
    rank = "–" if flat["effective_rank"] is None else f"{flat['effective_rank']:.1f} of {flat['dim']:g}"
    shares = [_percent(flat, name) for name in ("logistic", "few10", "knn")]
    return [row.label, verdict, *shares, rank, str(flat["n_test"] or "–")]


def _guess(row: Row) -> list[str]:
    score = row.score("logistic")
    share = _percent({"logistic": _value(score), **_interval("logistic", score)}, "logistic")
    return [row.label, "floor", share, "–", "–", "–", str(len(row.members[0]["index"]))]


def _aligned(head: list[str], cells: list[list[str]]) -> list[str]:
    table = [head, *[[_plain(cell) for cell in line] for line in cells]]
    widths = [max(_width(line[i]) for line in table) for i in range(len(head))]
    texts = [
        "| "
        + " | ".join(cell + " " * (w - _width(cell)) for cell, w in zip(line, widths, strict=True))
        + " |"
        for line in table
    ]
    rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
    return [texts[0], rule, *texts[1:]]


def _plain(text: str) -> str:
    """Text that neither ends a cell nor starts HTML or emphasis."""
    for character in "\\|<>&*_`[]":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())


def _width(text: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def _percent(flat: dict[str, Any], name: str) -> str:
    if flat[name] is None:
        return "–"
    if flat.get(f"{name}_low") is None:
        return f"{100 * flat[name]:.1f}"
    return (
        f"{100 * flat[name]:.1f} ({100 * flat[f'{name}_low']:.1f} to {100 * flat[f'{name}_high']:.1f})"
    )


def intervals(rows: list[Row]) -> list[str]:
    """Sentences on how the intervals and the verdicts came about."""
    found = list(
        dict.fromkeys(
            e["probe"]["interval"] for r in rows for e in r.members if e["probe"].get("interval")
        )
    )
    lines = [f"Interval of one seed: {text}." for text in found]
    if any(row.seeds > 1 for row in rows):
        lines.append(
            "Interval of K seeds: mean ± Student's t (K - 1) times the standard error over seeds."
        )
    lines += _not_scored(rows)
    measures = " and ".join(MEASURES.values())
    lines.append(
        f"Comparisons, with {measures}, are paired on the same test samples. beats / below: the 95 % "
        "interval of the difference (in points) excludes 0, and the p value is below 0.05 after Holm's "
        "adjustment over all comparisons of this report. ties: neither holds. undecided: only one of "
        f"the two holds, or test has fewer than {FEWEST_GROUPS} groups."
    )
    return lines


def _not_scored(rows: list[Row]) -> list[str]:
    """Why there is no score with 10 labels per class, where the smallest class is the reason."""
    lines = []
    for row in rows:
        least = row.members[0]["probe"].get("fewest_of_a_class")
        if least is not None and least < 10:
            data = row.members[0].get("data_folder") or row.data[:12]
            lines.append(
                f"No score with 10 labels per class on {data}: its smallest class has {least} training "
                f"sample{'s' * (least != 1)}."
            )
    return list(dict.fromkeys(lines))


def _value(score: dict[str, float] | None) -> float | None:
    return None if score is None else score["value"]


def _interval(name: str, score: dict[str, float] | None) -> dict[str, float | None]:
    return {f"{name}_{end}": None if score is None else score[end] for end in ("low", "high")}


def _mean(row: Row, *path: str) -> float | None:
    found = [dig(e, *path) for e in row.members]
    return None if any(v is None for v in found) else float(np.mean(found))
