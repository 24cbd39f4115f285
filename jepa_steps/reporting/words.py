"""Verdicts as sentences that need no other page."""

from typing import Any

from ..config import JUDGED
from .blocks import evaluation, leaks
from .differences import as_yaml
from .grouping import Row, dig, listed, one_token
from .marks import reach
from .standing import GUESSES, MEASURES, OF_THE_SAME, SHUFFLED
from .targets import told

PLAIN = {
    "collapse": "Every sample gets nearly the same embedding: the encoder ignores its input.",
    "positional collapse": "Tokens encode their position, not what they show.",
    "temporal collapse": "The tokens of a sample are nearly the same at all times.",
    "rank-k collapse": "Embeddings vary in only a few directions; the rest of their width is empty.",
    "dimensional collapse": "A few directions carry nearly all variance; most of the width is unused.",
    "high correlation": "Dimensions repeat each other, so embeddings hold less than their width allows.",
    "dead dimensions": "Some dimensions hardly vary and carry no information.",
    "nuisance-dominated embeddings": "Embeddings encode the group or batch of a sample more strongly "
    "than what it is.",
    "condition ignored": "Predictions are nearly the same for every condition.",
    "no motion": "A probe of whole clips scores no better than a probe of single frames.",
    "persistence": "Predictions of the future are no better than repeating the present.",
    "initial weights": "These weights look as if they had never been trained.",
    "NaN loss": "Some batches gave no finite loss or gradient and were skipped.",
    "divergence": "Training became unstable: the loss ended far above its minimum.",
    "no learning": "Training did not make the embeddings better.",
    "worse than untrained": "Training made the embeddings worse than they were before training.",
    "overfitting": "The encoder memorises its training samples.",
    "small batch": "Batches are too small for the statistics that the objective computes over them.",
    "under-trained": "Training stopped before the encoder had settled.",
}
_SOUND = "The checks found no fault in the embeddings"
_NO_RAW = (
    "There is no floor on the data that they were made from, so this report cannot show whether they "
    "are better than those data."
)
_LEVEL = {"error": "bad", "warning": "warn"}


def card(row: Row, standings: list[dict[str, Any]]) -> dict[str, Any]:
    """What the verdict box says of a trained row.

    Keys: level ("good", "warn", "bad"), title (a few words), sentence, findings (each fault once,
    with the seeds it was found in), vitals (the numbers behind "healthy"), standings by measure, half
    (points that their axis reaches to each side), leaks (of the data), evaluations (what is predicted,
    by seed).
    """
    mine = [s for s in standings if s["row"] is row and s["kind"] not in JUDGED]
    others = [s for s in mine if s["kind"] not in OF_THE_SAME]
    findings = _findings(row)
    predicted = [f for f in map(evaluation, row.members) if f]
    level, title, sentence = _fault(findings, row) if findings else _healthy(others)
    if not findings and not others:
        level, title, sentence = _by_numbers(row) or (level, title, sentence)
    if predicted and predicted[0]["verdicts"] and not predicted[0]["leaky"]:
        says, better = _of_predictions(predicted[0])
        sentence, level = f"{sentence} {says}", level if findings or better else "warn"
    by_measure = {label: [s for s in mine if s["measure"] == label] for label in MEASURES.values()}
    ends = [abs(s[end]) for s in mine if s["kind"] not in GUESSES and s["low"] is not None
            for end in ("low", "high")]  # fmt: skip
    return {
        "row": row,
        "level": level,
        "title": title,
        "sentence": sentence,
        "findings": findings,
        "vitals": _vitals(row),
        "leaks": leaks(row),
        "evaluations": predicted,
        "standings": {label: found for label, found in by_measure.items() if found},
        "half": reach(ends),
    }


def level(findings: list[dict[str, Any]]) -> str:
    """ "bad" with an error, "warn" with a warning, else "good"."""
    worst = {finding["severity"] for finding in findings}
    return "bad" if "error" in worst else "warn" if worst else "good"


def _findings(row: Row) -> list[dict[str, Any]]:
    """Each fault once, the worst first, as found in the first member that has it."""
    found: dict[str, dict[str, Any]] = {}
    for e in row.members:
        for finding in e["monitor"]["findings"]:
            one = found.setdefault(
                finding["name"],
                {**finding, "level": _LEVEL[finding["severity"]], "seeds": 0, "where": e["name"]},
            )
            one["seeds"] += 1
    for one in found.values():
        one["plain"] = PLAIN.get(one["name"], one["advice"])
        one["patch"] = as_yaml({"experiments": {one["where"]: one["remedy"]}}) if one["remedy"] else None
    return sorted(found.values(), key=lambda one: one["severity"] != "error")


def _fault(findings: list[dict[str, Any]], row: Row) -> tuple[str, str, str]:
    first = findings[0]
    some = f" ({first['seeds']} of {row.seeds} seeds)" if row.seeds > 1 else ""
    return first["level"], f"{first['name'][0].upper()}{first['name'][1:]}{some}", first["plain"]


def _by_numbers(row: Row) -> tuple[str, str, str] | None:
    """What regressions say of use, where there is no label: always the mean has R² 0. None without
    any."""
    asked = dig(row.members[0], "probe", "of_targets") or {}
    numbers = {
        name: found
        for name, found in asked.items()
        if found["kind"] == "numbers" and not found["nuisance"] and "reason" not in found
    }
    if not numbers:
        return None
    values = listed([f"{name} (R² {found['r2']:.2f})" for name, found in numbers.items()])
    if any(map(told, numbers.values())):
        return "good", "Healthy", f"{_SOUND}. Regressions: {values}. Always guessing the mean scores 0."
    title = "Healthy, but no better than the mean"
    return "warn", title, f"{_SOUND}, but always guessing the mean scores as well for {values}."


def _healthy(standings: list[dict[str, Any]]) -> tuple[str, str, str]:
    """No fault was found; whether the encoder is of use is for the floors to say."""
    if not standings:
        return "good", "Healthy", f"{_SOUND}. There is no floor with labels to compare them with."
    kinds = {s["kind"] for s in standings}
    if kinds <= set(GUESSES):
        only = list(dict.fromkeys(s["floor"] for s in standings))
        text = f"only floor{'s are' if len(only) > 1 else ' is'} {listed(only)}"
        return "warn", "Healthy", f"{_SOUND}. The {text}."
    by_floor: dict[str, dict[str, str]] = {}
    for s in standings:
        by_floor.setdefault(s["floor"], {})[s["measure"]] = s["says"]
    below = [
        _where_below(floor, verdicts)
        for floor, verdicts in by_floor.items()
        if "below" in verdicts.values()
    ]
    if below:
        return "warn", "Healthy, but worse than a floor", f"{_SOUND}, but {listed(below)}."
    unbeaten = {f: set(verdicts.values()) for f, verdicts in by_floor.items()}
    unbeaten = {floor: says for floor, says in unbeaten.items() if "beats" not in says}
    ties = [floor for floor, says in unbeaten.items() if says == {"ties"}]
    open_ = [floor for floor, says in unbeaten.items() if "undecided" in says]
    told = f"it is undecided whether they are better than {listed(open_)}{_few(standings)}"
    if ties:
        also = f", and {told}" if open_ else ""
        title = "Healthy, but no better than a floor"
        alike = "these floors are" if len(ties) > 1 else "this floor is"
        return "warn", title, f"{_SOUND}, but {alike} as good: {listed(ties)}{also}."
    if open_:
        return "warn", "Healthy; use undecided", f"{_SOUND}, but {told}."
    full, few = MEASURES.values()
    only_few = [f for f, verdicts in by_floor.items() if verdicts.get(full) in ("ties", "undecided")]
    but = f"; it beats {listed(only_few)} only with {few}" if only_few else ""
    if kinds <= {*GUESSES, SHUFFLED}:
        text = f"{_SOUND}, and a linear probe on them beats {listed(list(by_floor))}{but}."
        return "good", "Healthy, and better than chance", f"{text} {_NO_RAW}"
    return "good", "Healthy and useful", f"{_SOUND}, and a linear probe on them beats every floor{but}."


def _few(standings: list[dict[str, Any]]) -> str:
    return next((s["why"] for s in standings if s["why"]), "")


def _where_below(floor: str, verdicts: dict[str, str]) -> str:
    worse = " and ".join(measure for measure, one in verdicts.items() if one == "below")
    better = " and ".join(measure for measure, one in verdicts.items() if one == "beats")
    return f"{floor} scores better with {worse}" + (f" and worse with {better}" if better else "")


def _of_predictions(predicted: dict[str, Any]) -> tuple[str, bool]:
    """A sentence on what is predicted, and whether it beats a simple baseline in a metric and is below
    in none: it counts beside the embeddings."""
    says = [v["says"] for v in predicted["verdicts"]]
    beats, below = says.count("beats"), says.count("below")
    text = f"Of {len(says)} metrics on {predicted['units']}, its predictions beat the best baseline in"
    undecided = says.count("undecided")
    open_ = f"; {undecided} {'is' if undecided == 1 else 'are'} undecided" if undecided else ""
    return f"{text} {beats} and are below it in {below}{open_}.", bool(beats and not below)


def _vitals(row: Row) -> list[dict[str, Any]]:
    """The three numbers behind "healthy" of the first member: name, value, what is bad."""
    e = row.members[0]
    spread = dig(e, "monitor", "pooled", "relative_spread")
    rank, dim = dig(e, "rank", "pooled", "centred", "effective_rank"), dig(e, "rank", "pooled", "dim")
    position = None if one_token(e) else dig(e, "monitor", "tokens", "position_share")
    found = [
        ("spread", spread, "{:.2f}", "0 = all embeddings equal, 1 = their mean is zero"),
        ("effective rank", rank, f"{{:.1f}} of {dim}", "directions in use, of the width"),
        ("position share", position, "{:.0%}", "100 % = tokens encode their position only"),
    ]
    return [
        {"name": name, "value": form.format(value), "means": means}
        for name, value, form, means in found
        if value is not None
    ]
