"""What the report says of time series: counts, the audit, forecasts beside their floors."""

from typing import Any

from ...data.splits import SPLITS
from ...metrics.comparison import FEWEST_GROUPS, how_many
from ...reporting.numbers import between, number
from ..contract import Described, Evaluated
from .forecasting.names import METRICS, title

_CLASSES = 30  # more are summed up
PICTURES = {
    "masks": (
        "Masks",
        "Context (blue), targets (orange) and tokens in neither, in the first, the middle and the last "
        "batch. One line per training sample; time runs to the right.",
    ),
    "samples": (
        "What is predicted",
        "Six training samples. Task masked or future: what the encoder sees (blue) and what is "
        "predicted (orange). Task views: the two variations that should get the same embedding. Up to "
        "four channels are drawn.",
    ),
    "neighbours": (
        "Nearest neighbours",
        "Evenly spaced test samples and, for each, the four nearest training samples by cosine "
        "similarity; ≠ marks another class. Gaps in a curve are missing values.",
    ),
}


def describe(manifest: dict[str, Any], folder: str) -> Described:
    """Counts by split and class, and the audit: time steps and groups in several parts."""
    counts, series, channels = manifest["counts"], manifest["series"], manifest["channels"]["names"]
    d, classes = manifest["settings"], manifest["classes"]
    lengths = f"{series['shortest']:,}" + f" to {series['longest']:,}" * series["unequal"]
    share = series["missing"] / (series["steps"] * len(channels))
    facts = [
        ("data", f"{folder}, {sum(counts[p]['samples'] for p in SPLITS):,} samples"),
        ("parts", ", ".join(f"{counts[p]['samples']:,} {p}" for p in SPLITS)),
        ("series", f"{series['count']:,} of {lengths} steps"),
        ("channels", f"{len(channels)}"),
        ("missing values", f"{share:.2%}"),
        ("classes", f"{len(classes)}" if classes else "no labels"),
        ("normalised by", "the training part" if d["normalise"] == "train" else "each sample"),
        ("split by", d["split"]["kind"]),
        ("groups", _groups(manifest["groups"])),
    ]
    if manifest["skipped"]:
        facts.append(("left out", f"{len(manifest['skipped']):,} series"))
    table = []
    if 1 < len(classes) <= _CLASSES:
        table = [(c, [counts[p]["per_class"][i] for p in SPLITS]) for i, c in enumerate(classes)]
    shared = manifest["shared"]["series"]
    leak = (
        f"{shared} series of val and test share time steps with an earlier part, so test scores are too "
        "high"
    )
    return {
        "facts": facts,
        "leaks": [leak] if shared else [],
        "notes": manifest["notes"],
        "examples": manifest["shared"]["examples"][:5] if shared else [],
        "audited": _audited(d),
        "classes": table,
    }


def _audited(dataset: dict[str, Any]) -> str:
    if dataset["split"]["kind"] == "series":
        return "no series, no group and no 24 equal time steps in a row are in more than one part"
    purge = dataset["split"]["purge"]
    if purge is None:
        purge = dataset["context_length"] + dataset["target_length"] - 1
    return f"no time step is in more than one part; {purge} were left out on each side of each cut"


def _groups(groups: dict[str, Any] | None) -> str:
    if groups is None:
        return "none: every series is its own group"
    each = ", ".join(f"{n:,} {part}" for part, n in groups["per_split"].items())
    return f"{groups['number']:,} ({each})"


def evaluation(found: dict[str, Any]) -> Evaluated:
    """Forecasts from the embedding beside forecasts without it."""
    columns = [f"{metric} {h}" for h in found["horizons"] for metric in METRICS]
    chosen = found["chosen"]["embedding"]
    given = "as given" if found["period_given"] else "found on training data"
    facts = [
        ("held out", found["held_out"]),
        ("fitted on", f"{found['train_windows']:,} training windows"),
        ("season", f"{found['period']} steps, {given}" if found["period"] > 1 else "none found"),
        ("features", f"{chosen['features']} of tokens, {chosen['width']} values"),
    ]
    if latent := found.get("persistence"):
        facts.append(
            (
                "latent error",
                f"{latent['predicted']:.2f}; repeating the last token: {latent['repeated']:.2f}",
            )
        )
    return {
        "title": "Forecasts",
        "units": found["held_out"],
        "leaky": found["leaky"],
        "leak": "",
        "verdicts": [_verdict(row, found["units"]) for row in found["verdicts"]],
        "tables": [
            {
                "caption": "Errors on test, averaged over the steps up to the horizon and over "
                "channels, in units of the training part's standard deviation; lower is better. MASE is "
                "relative to the seasonal forecast on the training part.",
                "columns": [_column(column) for column in columns],
                "rows": [
                    (title(name), [_cell(lines[column]) for column in columns])
                    for name, lines in found["methods"].items()
                ],
            }
        ],
        "note": "Every ridge regression predicts the change from the last value. Its regularisation "
        "strength was chosen on val.",
        "interval": found["interval"],
        "facts": facts,
        "figure": (
            "Forecasts",
            "Left: error by steps ahead. Right: the first channel of three test windows, evenly spaced, "
            "the future shaded; truth (black), ridge on the embedding (blue), ridge on the raw past "
            "(orange), last season (light blue).",
        ),
    }


def _column(column: str) -> str:
    metric, horizon = column.split()
    return f"{METRICS[metric]}, {horizon} steps"


def _why(count: int, unit: str) -> str:
    """How few units a comparison stands on, where these are too few; else nothing."""
    return "" if count >= FEWEST_GROUPS else f" ({how_many(count, unit)})"


def _cell(line: dict[str, Any]) -> tuple[str, str]:
    known = line["low"] is not None
    return number(line["mean"], ".3f"), f"{line['low']:.3f} to {line['high']:.3f}" if known else ""


def _verdict(row: dict[str, Any], units: dict[str, str]) -> dict[str, Any]:
    return {
        "metric": _column(row["metric"]),
        "says": row["verdict"],
        "why": _why(row["units"], units[row["metric"].split()[1]]),
        "model": number(row["model"], ".3f"),
        "baseline": f"{title(row['best_baseline'])} ({number(row['baseline'], '.3f')})",
        "difference": number(row["difference"], "+.3f"),
        "interval": between(row["low"], row["high"], "+.3f"),
        "closed": "–",
        "n": row["n"],
    }
