"""What the report says of cells: counts and audit, and predicted perturbations beside every baseline."""

from typing import Any

from ...data.splits import SPLITS
from ...metrics.comparison import FEWEST_GROUPS, how_many
from ...reporting.numbers import between, number
from ..contract import Described, Evaluated
from .effects.summary import counted
from .figures import title
from .preparation.manifest import counts_known

METRICS = {
    "pearson_delta": "Pearson-Δ",
    "pearson_delta_perturbed": "… less the mean effect",
    "top20_pearson_delta": "… top 20 genes",
    "l2": "L2",
    "discrimination": "discrimination",
    "centroid_accuracy": "centroid accuracy",
    "energy_distance": "E-distance",
}


PICTURES: dict[str, tuple[str, str]] = {}
LEAK = (
    "cells are split at random, so training saw every perturbation of test. Scores of predicted "
    "perturbations therefore measure recall, not prediction. Probe scores hold for new cells of the "
    "same screen"
)


def evaluation(found: dict[str, Any]) -> Evaluated:
    """What evaluation.json says, ready to be laid out: every method by metric, verdicts, and what they
    rest on; see ``contract.Evaluated``."""
    latent = found["retrieval"]
    lines = [*found["methods"].items(), ("ceiling", found["ceiling"])]
    shown = [m for m in METRICS if any(m in values for _, values in lines)]
    asked_for = found["perturbations"]["by_context"]
    return {
        "title": "Predicted perturbations",
        "units": "held-out perturbations",
        "leak": "training saw every perturbation of test",
        "figure": (
            "Predicted effects",
            "Dots: held-out perturbations. Rings: their mean. Colour: the model. Grey: baselines. "
            "Dashed line: the ceiling, replicates of the same perturbation.",
        ),
        "note": "This experiment: with the encoder frozen, shifts of its embeddings are refitted in "
        "closed form, and ridge regression maps them to expression. L2 and E-distance: lower is "
        "better. Discrimination and centroid accuracy: .5 is chance. Ceiling: replicates of the same "
        "perturbation, corrected to the mean of all cells where a formula exists.",
        "tables": [
            {
                "caption": "Every method: mean and 95 % interval over held-out perturbations, each "
                "counted once per context, where the metric is defined",
                "columns": [METRICS[m] for m in shown],
                "rows": [
                    (title(method), [_cell(values.get(m), asked_for) for m in shown])
                    for method, values in lines
                ],
            }
        ],
        "verdicts": [_verdict(row) for row in found["verdicts"] if row["metric"] in METRICS],
        "leaky": found["leaky"],
        "facts": [
            ("held out", f"{found['held_out']}, {found['cells']:,} cells"),
            ("split by", found["split"]),
            ("trained on", counted(found["trained_on"])),
            ("latent retrieval, MRR", _beside(latent["mrr"], latent["mrr_chance"], ".2f")),
            ("median rank", _beside(latent["median_rank"], latent["median_rank_chance"], "g")),
            ("readout", f"ridge on {found['readout']['cells']:,} training cells"),
        ],
        "interval": found["interval"],
    }


def _cell(line: dict[str, Any] | None, asked_for: int) -> tuple[str, str]:
    """(mean, interval), and of how many where the metric is not defined for all that were held out."""
    if line is None or line["mean"] is None:
        return "–", ""
    known = line["low"] is not None
    parts = [f"{number(line['low'], '.3f')} to {number(line['high'], '.3f')}"] if known else []
    parts += [f"n = {line['n']}"] if line["n"] < asked_for else []
    return number(line["mean"], ".3f"), ", ".join(parts)


def _verdict(row: dict[str, Any]) -> dict[str, Any]:
    """One metric: the model beside the best baseline; differences are positive where it is better."""
    closed = row["gap_closed"]
    return {
        "metric": METRICS[row["metric"]],
        "says": row["verdict"],
        "why": _why(row),
        "model": number(row["model"], ".3f"),
        "baseline": f"{title(row['best_baseline'])} ({number(row['baseline'], '.3f')})",
        "difference": number(row["difference"], "+.3f"),
        "interval": between(row["low"], row["high"], "+.3f"),
        "closed": "–" if closed is None else f"{closed:.0%}",
        "n": row["n"],
    }


def _why(row: dict[str, Any]) -> str:
    """What too little a comparison stands on, and what its interval is over then."""
    if row["units"] >= FEWEST_GROUPS:
        return ""
    over = ", interval over their cells" if row["low"] is not None else ""
    return f" ({how_many(row['units'], 'perturbation')}{over})"


def _beside(value: float, chance: float, form: str) -> str:
    return f"{value:{form}} (chance {chance:{form}})"


def describe(manifest: dict[str, Any], folder: str) -> Described:
    """Counts and the audit of a screen, which stopped prepare unless the settings allow a leak."""
    counts, genes, found = manifest["counts"], manifest["genes"], manifest["detected"]
    parts = [f"{counts[p]['cells']:,} {p} ({counts[p]['perturbations']} perturbed)" for p in SPLITS]
    return {
        "facts": [
            ("data", f"{folder}, {sum(counts[p]['cells'] for p in SPLITS):,} cells"),
            ("parts", ", ".join(parts)),
            ("genes", f"{genes['kept']:,} of {genes['measured']:,}, {genes['perturbed']} perturbed"),
            ("values", manifest["input"]["kind"] + counts_known(manifest["input"])),
            ("split by", manifest["settings"]["split"]["kind"]),
            ("left out", f"{sum(found['dropped_cells'].values()):,} cells"),
            *[("labels", text) for text in [manifest["note"]] if text],
        ],
        "leaks": [LEAK] * manifest["leaky"],
        "examples": [],
        "notes": [f"left out, not a gene: {kind} ({n})" for kind, n in manifest["no_genes"].items()],
        "audited": "no cell, no control and no unit of the split is in more than one part",
        "classes": [],
    }
