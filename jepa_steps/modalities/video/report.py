"""What the report says of videos: counts, the audit, what motion adds."""

from typing import Any

from ...data.splits import SPLITS
from ...metrics.comparison import FEWEST_GROUPS, how_many
from ...reporting.numbers import between, number
from ..contract import Described, Evaluated, Table
from .names import title

_CLASSES = 30  # more are summed up
PICTURES = {
    "masks": (
        "Masks",
        "Context (blue), targets (orange) and tokens in neither (grey). Three clips from each of two "
        "batches at the beginning, in the middle and at the end of training. Times are shown side by "
        "side, at most eight.",
    ),
    "samples": (
        "Masks on clips",
        "Three training clips of the last batch: one frame per time (at most eight), what the encoder "
        "sees, and which tokens are predicted.",
    ),
    "neighbours": (
        "Nearest neighbours",
        "Evenly spaced test clips and, for each, the four nearest training clips by cosine similarity. "
        "Each clip is shown by its first, middle and last frame; ≠ marks another class.",
    ),
}


def describe(manifest: dict[str, Any], folder: str) -> Described:
    """Counts by part and class, and the audit: equal clips and groups in several parts."""
    counts, frames, classes = manifest["counts"], manifest["frames"], manifest["classes"]
    copies, d = manifest["duplicates"], manifest["settings"]
    h, w, c = frames["shape"]
    facts = [
        ("data", f"{folder}, {sum(counts[p]['samples'] for p in SPLITS):,} clips"),
        *[("origin", "SEMI-SYNTHETIC")] * manifest["semi_synthetic"],
        ("parts", ", ".join(f"{counts[p]['samples']:,} {p}" for p in SPLITS)),
        ("videos", ", ".join(f"{counts[p]['videos']:,} {p}" for p in SPLITS)),
        (
            "frames",
            f"{frames['number']:,} of {h} x {w}, {'RGB' if c == 3 else 'grey'}, {_rate(manifest)}",
        ),
        ("a clip", f"{d['clip_length']} frames; one begins every {frames['clip_stride']} frames"),
        *[("in no clip", f"{frames['in_no_clip']:,} frames")] * bool(frames["in_no_clip"]),
        ("classes", f"{len(classes)}" if classes else "no labels"),
        ("equal clips", f"{copies['copies']:,}"),
        ("groups", _groups(manifest["groups"])),
    ]
    for name, what in (("skipped", "unreadable videos"), ("dropped", "videos, too short or copies")):
        if manifest[name]:
            facts.append(("left out", f"{len(manifest[name]):,} {what}"))
    if manifest["repeated"]:
        facts.append(("last frame repeated", f"in {manifest['repeated']:,} videos"))
    table = []
    if 1 < len(classes) <= _CLASSES:
        table = [(name, [counts[p]["per_class"][i] for p in SPLITS]) for i, name in enumerate(classes)]
    return {
        "facts": facts,
        "leaks": _leaks(copies["across_splits"], (manifest["groups"] or {}).get("across_splits", 0)),
        "examples": copies["examples"][:5],
        "notes": manifest["notes"],
        "audited": "no video, no group and no clip of more than one colour is in more than one part",
        "classes": table,
    }


def _rate(manifest: dict[str, Any]) -> str:
    """How many frames a second has, where that is known."""
    rate, found = manifest["settings"]["frame_rate"], manifest["rates"]
    if rate is not None:
        return f"{rate:g} per second"
    if found is None:
        return "without times"
    span = f"{found['lowest']:g}" + f" to {found['highest']:g}" * (found["highest"] > found["lowest"])
    return f"as stored ({span} per second)"


def _leaks(videos: int, torn: int) -> list[str]:
    found = []
    if videos:
        found.append(
            f"{videos} videos of val and test have a clip equal to one of an earlier part, so test "
            "scores are too high"
        )
    if torn:
        some = "is" if torn == 1 else "are"
        found.append(f"{torn} of the groups {some} in more than one part, so test scores are too high")
    return found


def _groups(groups: dict[str, Any] | None) -> str:
    if groups is None:
        return "none: every video is its own group"
    each = ", ".join(f"{n:,} {part}" for part, n in groups["per_split"].items())
    return f"{groups['number']:,} ({each})"


def evaluation(found: dict[str, Any]) -> Evaluated:
    """Predicted later frames, and the motion controls, beside their floors."""
    future, controls = found["task"] == "future", found["controls"]
    judged = {} if isinstance(controls, str) else {n: f for n, f in controls.items() if "scores" in f}
    tables = [_future_table(found)] if future else []
    tables += [_controls_table(judged)] if judged else []
    return {
        "title": "Motion: predicted frames and controls" if future else "Motion controls",
        "units": found["held_out"],
        "leaky": found["leaky"],
        "leak": "",
        "verdicts": [_verdict(row) for row in found["verdicts"]],
        "tables": tables,
        "note": _note(controls),
        "interval": found["interval"],
        "facts": _evaluation_facts(found, judged),
        "figure": ("Motion", " ".join([_ERRORS] * future + [_ACCURACIES] * bool(judged))),
    }


def _future_table(found: dict[str, Any]) -> Table:
    columns = [f"error {h}" for h in found["horizons"]]
    return {
        "caption": "Squared error of the predicted embeddings of later frames, from "
        f"{found['past']} past times. 1 = as large as for a constant prediction; lower is better",
        "columns": [_column(column) for column in columns],
        "rows": [
            (title(name), [_cell(lines[column], ".3f") for column in columns])
            for name, lines in found["methods"].items()
        ],
    }


def _controls_table(judged: dict[str, Any]) -> Table:
    names = list(next(iter(judged.values()))["scores"])
    return {
        "caption": "Test accuracy of a ridge classifier on the embeddings of whole clips, and of clips "
        "that were changed to remove motion",
        "columns": list(judged),
        "rows": [
            (_CONTROLS[name], [_accuracy(found["scores"][name]) for found in judged.values()])
            for name in names
        ],
    }


_ERRORS = (
    "Error of predicted embeddings by times ahead, with baselines that use no model (1 = a constant)."
)
_ACCURACIES = (
    "Test accuracy of probes on whole clips and on changed clips, by target, with 95 % intervals."
)
_CONTROLS = {
    "clip": "whole clips",
    "one_frame": "middle frame, repeated",
    "shuffled": "frames shuffled",
    "backwards": "played backwards, probe of whole clips",
    "majority": "majority class",
}


def _note(controls: dict[str, Any] | str) -> str:
    if isinstance(controls, str):
        return f"No motion controls: {controls}."
    left_out = "; ".join(f"{n}: {f['reason']}" for n, f in controls.items() if "reason" in f)
    return (
        "Probes of the middle frame and of shuffled frames are fitted on clips changed in that way. "
        "Their regularisation strength is chosen on val. Targets that are numbers have no motion "
        "controls." + f" Not judged: {left_out}." * bool(left_out)
    )


def _evaluation_facts(found: dict[str, Any], judged: dict[str, Any]) -> list[tuple[str, str]]:
    facts = [("held out", found["held_out"])]
    if "label" in judged:
        turned = judged["label"]["backwards_says"]
        shown = [f"{true} as {said} ({share:.0%})" for true, (said, share) in list(turned.items())[:8]]
        facts.append(("clips played backwards", ", ".join(shown)))
    if latent := found.get("persistence"):
        facts.append(
            (
                "latent error",
                f"{latent['predicted']:.2f}; repeating the last frame: {latent['repeated']:.2f}",
            )
        )
    return facts


def _column(metric: str) -> str:
    """``error 4`` as tables have it."""
    return f"{metric.removeprefix('error ')} ahead" if metric.startswith("error ") else metric


def _cell(line: dict[str, Any], form: str) -> tuple[str, str]:
    known = line["low"] is not None
    return number(line["mean"], form), f"{line['low']:.3f} to {line['high']:.3f}" if known else ""


def _accuracy(score: dict[str, float]) -> tuple[str, str]:
    return _cell({"mean": score["accuracy"], **score}, ".3f")


def _verdict(row: dict[str, Any]) -> dict[str, Any]:
    few = row["units"] < FEWEST_GROUPS
    return {
        "metric": _column(row["metric"]),
        "says": row["verdict"],
        "why": f" ({how_many(row['units'], 'group')})" if few else "",
        "model": number(row["model"], ".3f"),
        "baseline": f"{title(row['best_baseline'])} ({number(row['baseline'], '.3f')})",
        "difference": number(row["difference"], "+.3f"),
        "interval": between(row["low"], row["high"], "+.3f"),
        "closed": "–",
        "n": row["n"],
    }
