"""Predicted perturbations of one experiment, beside every baseline, ready to be laid out."""

from typing import Any

from ..figures.effects import title
from .numbers import number

METRICS = {
    "pearson_delta": "Pearson-Δ",
    "pearson_delta_perturbed": "… less the mean effect",
    "top20_pearson_delta": "… top 20 genes",
    "l2": "L2",
    "discrimination": "discrimination",
    "centroid_accuracy": "centroid accuracy",
    "energy_distance": "E-distance",
}


def effects(e: dict[str, Any]) -> dict[str, Any] | None:
    """Tables of the evaluation: every method by metric, verdicts, and what they rest on; None for
    experiments that predict no perturbation."""
    found = e["evaluation"]
    if found["task"] is None:
        return None
    latent = found["retrieval"]
    lines = [*found["methods"].items(), ("ceiling", found["ceiling"])]
    shown = [m for m in METRICS if any(m in values for _, values in lines)]
    asked = found["perturbations"]["by_context"]
    return {
        "columns": [METRICS[m] for m in shown],
        "methods": [
            (title(method), [_cell(values.get(m), asked) for m in shown]) for method, values in lines
        ],
        "verdicts": [_verdict(row) for row in found["verdicts"] if row["metric"] in METRICS],
        "leaky": found["leaky"],
        "facts": [
            ("held out", f"{_counted(found['perturbations'])}, {found['cells']:,} cells"),
            ("split by", found["split"]),
            ("trained on", _counted(found["trained_on"])),
            ("latent retrieval, MRR", _beside(latent["mrr"], latent["mrr_chance"], ".2f")),
            ("median rank", _beside(latent["median_rank"], latent["median_rank_chance"], "g")),
            ("readout", f"ridge on {found['readout']['cells']:,} training cells"),
        ],
        "interval": found["interval"],
    }


def _counted(number_of: dict[str, int]) -> str:
    distinct, both = number_of["distinct"], number_of["by_context"]
    return f"{distinct} perturbations" + (f", {both} with their contexts" if both > distinct else "")


def _cell(line: dict[str, Any] | None, asked: int) -> tuple[str, str]:
    """(mean, interval), and of how many where the metric is not defined for all that were asked."""
    if line is None or line["mean"] is None:
        return "–", ""
    known = line["low"] is not None
    parts = [f"{number(line['low'], '.3f')} to {number(line['high'], '.3f')}"] if known else []
    parts += [f"n = {line['n']}"] if line["n"] < asked else []
    return number(line["mean"], ".3f"), ", ".join(parts)


def _verdict(row: dict[str, Any]) -> dict[str, Any]:
    """One metric: the model beside the best baseline; differences are positive where it is better."""
    closed = row["gap_closed"]
    known = row["low"] is not None
    return {
        "metric": METRICS[row["metric"]],
        "says": row["verdict"],
        "model": number(row["model"], ".3f"),
        "baseline": f"{title(row['best_baseline'])} ({number(row['baseline'], '.3f')})",
        "difference": number(row["difference"], "+.3f"),
        "interval": f"{number(row['low'], '+.3f')} to {number(row['high'], '+.3f')}" if known else "–",
        "closed": "–" if closed is None else f"{closed:.0%}",
        "n": row["n"],
    }


def _beside(value: float, chance: float, form: str) -> str:
    return f"{value:{form}} (chance {chance:{form}})"
