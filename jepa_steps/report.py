"""One page that says how good each experiment is, next to its floors.

    python -m jepa_steps.report --experiments digits-jepa digits-raw --out results/report

Reads results/{train,monitor,rank,probe}/<experiment>/ and writes report.html (self-contained, no
outside requests), summary.csv, summary.md, and for DVC: metrics.json and history.csv, merged over
experiments.
"""

import base64
import csv
import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from . import __version__
from .cli import parser, read_json, run, staged, write_csv, write_json
from .errors import InputError
from .figures import probing
from .figures.style import save
from .metrics.comparison import holm, paired, read_correct, verdict

FLOORS = ("untrained", "raw", "pca")
_MEASURES = (("logistic", "linear probe, all labels"), ("few10", "10 labels a class"))


def read_experiment(results: Path, name: str) -> dict[str, Any]:
    """Everything the report needs of one experiment.

    Raises:
        InputError: a step's result is missing.
    """
    encoder = read_json(results / "train" / name / "encoder.json")
    correct, groups = read_correct(results / "probe" / name / "predictions.csv")
    return {
        "name": name,
        "kind": encoder["train"]["encoder"],
        "settings": encoder["train"],
        "data": encoder["data_sha256"]["splits.csv"],
        "training": read_json(results / "train" / name / "summary.json"),
        "monitor": read_json(results / "monitor" / name / "monitor.json"),
        "rank": read_json(results / "rank" / name / "rank.json"),
        "probe": read_json(results / "probe" / name / "probe.json"),
        "correct": correct,
        "groups": groups,
        "classes": _table(results / "probe" / name / "classes.csv"),
    }


def _table(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run the probe step first") from None


def compare(experiment: dict, floor: dict, measure: str) -> dict | None:
    """Paired difference of two experiments' accuracies on the same test samples, in points."""
    a, b = experiment["correct"].get(measure), floor["correct"].get(measure)
    if a is None or b is None or experiment["data"] != floor["data"]:
        return None
    difference = paired([a], [b], experiment["groups"])
    return {**difference, "floor": floor["name"], "kind": floor["kind"]}


def comparisons(experiments: list[dict]) -> list[dict[str, Any]]:
    """Every trained experiment against every floor on its data, for both measures.

    ``says`` is the verdict after adjusting the p values for the number of comparisons (Holm).
    """
    rows = []
    for e in experiments:
        for f in experiments:
            if e["kind"] == "jepa" and f["kind"] in FLOORS:
                for measure, label in _MEASURES:
                    found = compare(e, f, measure)
                    if found:
                        rows.append({"experiment": e["name"], "measure": label, **found})
    for row, p in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row |= {"p": p, "says": verdict(row["low"], row["high"], p)}
    return rows


def summary_rows(experiments: list[dict]) -> list[dict[str, Any]]:
    """One flat row an experiment."""
    rows = []
    for e in experiments:
        p, few = e["probe"], e["probe"].get("few_label", {})
        ranks = e["rank"]["pooled"]
        row = {
            "experiment": e["name"],
            "encoder": e["kind"],
            "verdict": e["monitor"]["verdict"],
            "effective_rank": ranks["centred"]["effective_rank"],
            "dim": ranks["dim"],
            "rankme": ranks["raw"]["rankme"],
            "n_rank": ranks["n"],
            "final_loss": e["monitor"]["final_loss"],
        }
        for name in ("logistic", "ridge", "knn"):
            row[name] = p[name]["accuracy"] if name in p else None
        low, high = p["logistic"]["accuracy_interval"] if "logistic" in p else (None, None)
        row |= {"logistic_low": low, "logistic_high": high}
        row["majority"] = p["majority"]["accuracy"] if "majority" in p else None
        row |= {f"few{k}": few.get(k, {}).get("accuracy") for k in ("1", "5", "10", "100")}
        row["n_test"] = p["n"]["test"] if "n" in p else None
        rows.append(row)
    return rows


def report(results: Path, names: list[str], out: Path) -> None:
    """Run the step."""
    experiments = [read_experiment(results, name) for name in names]
    rows, against = summary_rows(experiments), comparisons(experiments)
    with staged(out) as folder:
        write_csv(folder / "summary.csv", rows[0], (row.values() for row in rows))
        (folder / "summary.md").write_text(_markdown(rows, against), encoding="utf-8")
        write_json(folder / "metrics.json", {r["experiment"]: _numbers(r) for r in rows})
        _write_history(folder / "history.csv", results, names)
        _figures(experiments, folder)
        page = _page(experiments, rows, against, results, folder)
        (folder / "report.html").write_text(page, encoding="utf-8")


def _numbers(row: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in row.items() if isinstance(v, int | float)}


def _figures(experiments: list[dict], folder: Path) -> None:
    probed = [e for e in experiments if "logistic" in e["probe"]]
    rows = [
        (e["name"], e["probe"]["logistic"]["accuracy"], e["probe"]["logistic"]["accuracy_interval"])
        for e in probed
    ]
    save(probing.comparison(rows) if rows else probing.empty("no labels"), folder / "comparison.svg")
    curves = {e["name"]: e["probe"]["few_label"] for e in probed}
    save(probing.few_labels(curves), folder / "few_labels.svg")


def _write_history(path: Path, results: Path, names: list[str]) -> None:
    """Training curves of all experiments in one table, for ``dvc plots``."""
    columns = ("step", "epoch", "loss", "gradient_norm", "lr")
    rows = (
        [name, *(row[column] for column in columns)]
        for name in names
        for row in _table(results / "train" / name / "metrics.csv")
    )
    write_csv(path, ["experiment", *columns], rows)


def _markdown(rows: list[dict], against: list[dict]) -> str:
    head = ("experiment", "encoder", "verdict", "logistic", "knn", "few10", "effective_rank", "n_test")
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for row in rows:
        cells = [f"{row[h]:.4g}" if isinstance(row[h], float) else str(row[h]) for h in head]
        lines.append("| " + " | ".join(cells) + " |")
    lines.append("")
    for c in against:
        lines.append(
            f"- {c['experiment']} {c['says']} {c['floor']} ({c['measure']}): {c['points']:+.1f} points "
            f"[{c['low']:+.1f}, {c['high']:+.1f}], n = {c['n']}"
        )
    return "\n".join(lines) + "\n"


def _page(experiments, rows, against, results: Path, folder: Path) -> str:
    environment = Environment(
        loader=PackageLoader("jepa_steps"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda v, form=".3f": "–" if v is None else format(v, form)
    environment.filters["yaml"] = lambda v: json.dumps(v)
    environment.globals["figure"] = lambda path: _data_uri(results, folder, path)
    return environment.get_template("report.html").render(
        version=__version__, experiments=experiments, rows=rows, against=against
    )


def _data_uri(results: Path, folder: Path, path: str) -> str:
    """An SVG file as a data URI: an image cannot run scripts or clash with another's ids."""
    file = folder / path if "/" not in path else results / path
    try:
        return "data:image/svg+xml;base64," + base64.b64encode(file.read_bytes()).decode()
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; run the step that writes it first") from None


def main(argv: list[str] | None = None) -> None:
    """The command line; see the top of this file or ``--help``."""
    p = parser(__doc__)
    p.add_argument("--results", type=Path, default=Path("results"), help="folder of all results")
    p.add_argument("--experiments", nargs="+", required=True, help="names, in the order of the table")
    p.add_argument("--out", type=Path, required=True, help="folder for the report")
    args = p.parse_args(argv)
    report(args.results, args.experiments, args.out)
    print((args.out / "report.html").resolve())


if __name__ == "__main__":
    run(main)
