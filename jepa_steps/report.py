"""One page that compares each experiment with its floors, and states what is wrong with it.

    python -m jepa_steps.report --data data/digits --experiments digits-jepa digits-raw \\
        --out results/report

Reads results/{train,embed,evaluate,monitor,rank,probe}/<experiment>/ and the manifests of the prepared
data. Writes report.html (self-contained, no outside requests, no script), summary.csv and summary.md,
and the figures of the comparison. For DVC it writes history.csv and metrics/ (a file with a few numbers
per experiment).
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from .cli import parser, run
from .config.training import parse_training
from .errors import InputError
from .figures import comparison
from .figures.style import save
from .files import read_json, read_table, staged, write_csv, write_json
from .metrics.comparison import read_correct
from .reporting import summary, words
from .reporting.grouping import Row, group
from .reporting.page import Page, render
from .reporting.standing import GUESSES, floors, standings

_CURVES = ("step", "epoch", "loss", "gradient_norm", "lr")


# What the page takes of a step that has not run on an experiment.
_NOTHING: dict[str, dict[str, Any]] = {
    "embed": {},
    "evaluate": {"task": None},
    "monitor": {"verdict": "", "findings": [], "final_loss": None},
    "rank": {},
    "probe": {},
}
_UNPROBED: dict[str, Any] = {"classes": [], "correct": {}}


def read_experiment(
    results: Path, name: str, manifests: dict[str, dict], missing: Collection[str] = ()
) -> dict[str, Any]:
    """Everything the report needs of one experiment.

    Args:
        manifests: contents of manifest.json by data folder; the one whose files the experiment was
            trained on is taken, None where it is not among them.
        missing: steps after training that have not run; they leave nothing.

    Raises:
        InputError: a step's result is missing or damaged.
    """
    source = results / "train" / name / "encoder.json"
    encoder = read_json(source, "train", "modality", "data_sha256")
    data = encoder["data_sha256"]["splits.csv"]
    folder = next((f for f, m in manifests.items() if m["sha256"] == encoder["data_sha256"]), None)
    settings = parse_training(encoder["train"], str(source), encoder["modality"])

    def of(step: str, file: str) -> dict[str, Any]:
        return _NOTHING[step] if step in missing else read_json(results / step / name / file)

    return {
        "name": name,
        "kind": settings.kind,
        "modality": encoder["modality"],
        "train": encoder["train"],
        "settings": settings,
        "data": data,
        "files": encoder["data_sha256"],
        "data_folder": folder,
        "manifest": manifests.get(folder) if folder else None,
        "training": read_json(results / "train" / name / "summary.json"),
        "embed": of("embed", "embed.json"),
        "evaluation": of("evaluate", "evaluation.json"),
        "monitor": of("monitor", "monitor.json"),
        "rank": of("rank", "rank.json"),
        "probe": of("probe", "probe.json"),
        **(_UNPROBED if "probe" in missing else _probed(results / "probe" / name)),
    }


def _probed(folder: Path) -> dict[str, Any]:
    """What the probe left in tables: scores by class, predictions by test sample."""
    return {"classes": _table_rows(folder / "classes.csv"), **_predictions(folder / "predictions.csv")}


def _table_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a table, as text by column."""
    table = read_table(path)
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def _predictions(path: Path) -> dict[str, Any]:
    """Of every test sample: index, label and group, and by probe the share of right predictions."""
    correct, groups = read_correct(path)
    table = read_table(path, "index", "label", only=True)
    try:
        index, label = (np.array(column, dtype=np.int64) for column in table.values())
    except ValueError as error:
        raise InputError(f"{path}: {error}, expected whole numbers; run the probe again") from None
    return {"index": index, "label": label, "group": groups, "correct": correct}


def report(results: Path, data: list[Path], names: list[str], out: Path) -> list[str]:
    """Run the step; returns lines for the terminal: the verdict on each judged row, and leaks."""
    manifests = {str(folder): read_json(folder / "manifest.json", "sha256") for folder in data}
    page = compare(results, manifests, names)
    write(page, results, out)
    cards = [words.card(row, page.standings) for row in page.rows if row.trained]
    verdicts = [f"{card['row'].label}: {card['title']}. {card['sentence']}" for card in cards]
    return verdicts + [f"LEAK in {folder}: {leak}" for folder, leak in summary.leaky(page.rows)]


def compare(results: Path, manifests: dict[str, dict], names: list[str]) -> Page:
    """Everything on the page of these experiments; arguments as of ``read_experiment``."""
    return stand([read_experiment(results, name, manifests) for name in names])


def stand(experiments: list[dict[str, Any]]) -> Page:
    """Experiments, what is one row, and how each stands against its floors."""
    rows = group(experiments)
    below = floors(rows)
    # One BLAS thread: the products are small, and sums do not depend on the number of cores.
    with threadpool_limits(1):
        found = standings(rows, below)
    return Page(experiments, rows, below, found)


def write(shown: Page, results: Path, out: Path) -> None:
    """Write the page with its tables and figures."""
    experiments, rows, below, found = shown.experiments, shown.rows, shown.floors, shown.standings
    flat = [summary.summary_row(row) for row in rows]
    single = [summary.summary_row(Row(e["name"], e["kind"], e["data"], (e,))) for e in experiments]
    with staged(out) as folder:
        write_csv(folder / "summary.csv", flat[0], (row.values() for row in flat))
        text = summary.markdown(_by_data(rows, below), found, summary.intervals(rows))
        (folder / "summary.md").write_text(text, encoding="utf-8")
        (folder / "metrics").mkdir()
        for row in single:
            write_json(folder / "metrics" / f"{row['experiment']}.json", summary.metrics(row))
        history = [
            [name, *(row[column] for column in _CURVES)]
            for name in (e["name"] for e in experiments)
            for row in _table_rows(results / "train" / name / "metrics.csv")
        ]
        write_csv(folder / "history.csv", ["experiment", *_CURVES], history)
        save(comparison.comparison(_scores(_by_data(rows, below))), folder / "comparison.svg")
        save(comparison.few_labels(_panels(rows, below)), folder / "few_labels.svg")
        (folder / "report.html").write_text(render(shown, results, folder), encoding="utf-8")


def _by_data(rows: list[Row], below: list[Row]) -> list[Row]:
    """Data set by data set, each with the guesses about it."""
    everything = [*rows, *(row for row in below if row.kind in GUESSES)]
    order = list(dict.fromkeys(row.data for row in rows))
    return sorted(everything, key=lambda row: order.index(row.data))


def _scores(rows: list[Row]) -> list[tuple]:
    return [(r.label, r.trained, r.score("logistic"), r.score("few_label", "10")) for r in rows]


def _panels(rows: list[Row], below: list[Row]) -> list[list[tuple]]:
    """Curves of each data set. Guesses last: they need no labels, so that any number of them gives the
    same accuracy."""
    panels, sizes = {}, {row.data: row.members[0]["probe"].get("few_label") or {} for row in rows}
    for row in (*rows, *(row for row in below if row.kind in GUESSES)):
        guess = row.score("logistic") if row.kind in GUESSES else None
        points = {int(k): guess or row.score("few_label", k) for k in sizes[row.data]}
        curve = (row.label, row.trained, {k: p for k, p in points.items() if p})
        panels.setdefault(row.data, []).append(curve)
    return list(panels.values())


def main(argv: list[str] | None = None) -> None:
    """The command line; see the top of this file or ``--help``."""
    p = parser(__doc__)
    p.add_argument("--results", type=Path, default=Path("results"), help="folder of all results")
    p.add_argument(
        "--data", type=Path, nargs="*", default=[], help="prepared data sets, for their audit"
    )
    p.add_argument("--experiments", nargs="+", required=True, help="names, in the order of the table")
    p.add_argument("--out", type=Path, required=True, help="folder for the report")
    args = p.parse_args(argv)
    lines = report(args.results, args.data, args.experiments, args.out)
    print("\n".join(lines))
    print((args.out / "report.html").resolve())


if __name__ == "__main__":
    run(main)
