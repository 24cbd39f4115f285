"""What the page says as flat records: one dict per row of a table, with the page's own numbers."""

from pathlib import Path
from typing import Any

from . import summary, words
from .blocks import PROBES
from .differences import as_yaml
from .grouping import Row, dig, listed
from .page import Page
from .standing import GUESSES, KINDS, floor_label

Record = dict[str, Any]
_SCORES = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece", "r2")


def dataset(e: dict[str, Any]) -> str:
    """The name of an experiment's data set; the start of its hash where no manifest is known."""
    return Path(e["data_folder"]).name if e["data_folder"] else e["data"][:12]


def runs(page: Page) -> list[Record]:
    """A record per experiment: what it is, what it cost, its verdict and its scores."""
    found = []
    for row in page.rows:
        for e in row.members:
            alone = summary.summary_row(Row(e["name"], e["kind"], e["data"], (e,)))
            verdict = alone.pop("verdict") or None
            del alone["seeds"]
            what = {
                "experiment": alone.pop("experiment"),
                "row": row.name,
                "dataset": dataset(e),
                "modality": e["modality"],
                "encoder": alone.pop("encoder"),
                "trained": row.trained,
                "seed": e["train"].get("seed"),
                "steps": e["training"]["steps"],
                "epochs": e["training"].get("epochs"),
                "parameters": dig(e, "training", "parameters", "encoder"),
                "predictor_parameters": dig(e, "training", "parameters", "predictor"),
                "verdict": verdict,
            }
            found.append({**what, **alone})
    return found


def summaries(page: Page, missing: dict[str, list[str]]) -> list[Record]:
    """The rows of summary.csv, with what the verdict card says where every step has run."""
    found = []
    for row in page.rows:
        whole = row.trained and not any(e["name"] in missing for e in row.members)
        card = words.card(row, page.standings) if whole else {}
        said = {f"card_{name}": card.get(name) for name in ("level", "title", "sentence")}
        flat = summary.summary_row(row)
        found.append({**flat, "verdict": flat["verdict"] or None, **said})
    return found


def probes(page: Page) -> list[Record]:
    """A record per score of a probe on the test part."""
    found = []
    for row in page.rows:
        floor = None if row.trained else floor_label(row, page.floors)
        for e in row.members:
            found += [{"experiment": e["name"], **one} for one in _probes(e["probe"], floor)]
    return found


def _probes(probe: dict[str, Any], floor: str | None) -> list[Record]:
    targets = {"label": {**probe, "nuisance": False}, **(probe.get("of_targets") or {})}
    # Of columns that are no targets a single probe is fitted.
    for name, one in (probe.get("of_covariates") or {}).items():
        targets[name] = {"logistic": one, "n": one["n"], "nuisance": one["nuisance"]}
    for name, one in (probe.get("of_log_targets") or {}).items():
        targets[f"logarithm of {name}"] = {**one, "nuisance": False}
    found = []
    for target, one in targets.items():
        scored = {name: one[name] for name in PROBES if one.get(name)}
        scored |= {f"few{k}": score for k, score in (one.get("few_label") or {}).items()}
        scored |= {"regression": one} if "r2" in one else {}
        for name, score in scored.items():
            guess = KINDS[name].format(listed(score.get("names", []))) if name in GUESSES else None
            what = {"target": target, "nuisance": one["nuisance"], "probe": name}
            by = {"floor": guess or floor, "n": dig(score, "n", "test") or dig(one, "n", "test")}
            found += [{**what, **scores, **by} for scores in _scores(score)]
    return found


def _scores(score: dict[str, Any]) -> list[Record]:
    found = []
    for metric in _SCORES:
        if score.get(metric) is not None:
            low, high = score.get(f"{metric}_interval", (None, None))
            found.append({"metric": metric, "value": score[metric], "low": low, "high": high})
    return found


def comparisons(page: Page) -> list[Record]:
    """A record per comparison: of a trained row's accuracy with a floor's or another row's, then of what
    an experiment predicts with the best baseline."""
    kept = ("low", "high", "p", "adjusted_p", "says", "n", "groups", "within")
    of_probes = [
        {
            "experiment": one["row"].name,
            "seeds": one["row"].seeds,
            "against": one["floor"],
            "kind": one["kind"],
            "measure": one["measure"],
            "unit": "points",
            "difference": one["points"],
            **{name: one[name] for name in kept},
        }
        for one in page.standings
    ]
    of_predictions = [
        {
            "experiment": e["name"],
            "seeds": 1,
            "against": one["best_baseline"],
            "kind": "baseline",
            "measure": one["metric"],
            "unit": "of the metric",
            **{name: one.get(name) for name in ("difference", "low", "high", "p", "n")},
            "adjusted_p": one.get("p_holm"),
            "says": one["verdict"],
            "groups": one.get("units"),
        }
        for e in page.experiments
        for one in e["evaluation"].get("verdicts") or []
    ]
    return of_probes + of_predictions


def findings(page: Page) -> list[Record]:
    """A record per fault that the monitor found, the remedy as a block of YAML."""
    return [
        {
            "experiment": e["name"],
            "finding": one["name"],
            **{name: one[name] for name in ("severity", "evidence", "advice")},
            "remedy": as_yaml({"experiments": {e["name"]: one["remedy"]}}) if one["remedy"] else None,
            "doc": one["doc"],
        }
        for e in page.experiments
        for one in e["monitor"]["findings"]
    ]


def evaluations(page: Page) -> list[Record]:
    """A record per method and metric of what is predicted: the model first, then its baselines."""
    found = []
    for e in page.experiments:
        task, methods = e["evaluation"]["task"], dict(e["evaluation"].get("methods") or {})
        methods |= {"ceiling": e["evaluation"]["ceiling"]} if e["evaluation"].get("ceiling") else {}
        found += [
            {
                "experiment": e["name"],
                "task": task,
                "method": method,
                "metric": metric,
                "value": line["mean"],
                **{name: line.get(name) for name in ("low", "high", "n")},
            }
            for method, lines in methods.items()
            for metric, line in lines.items()
        ]
    return found
