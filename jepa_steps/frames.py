"""Results as pandas tables, for notebooks: ``jepa_steps.results("results")``; docs/results.md.

Every number is the report's: the steps wrote it, or ``report.stand`` computes it as for the page.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from .errors import InputError
from .files import read_json, read_numbers
from .report import read_experiment, stand
from .reporting import tables
from .reporting.contents import TABLES

_COMMON = ("low", "high")
_PROBES = ("experiment", "target", "nuisance", "probe", "metric", "value", *_COMMON, "floor", "n")
_COMPARISONS = ("experiment", "seeds", "against", "kind", "measure", "unit", "difference", *_COMMON)
_COMPARISONS += ("p", "adjusted_p", "says", "n", "groups", "within")
_FINDINGS = ("experiment", "finding", "severity", "evidence", "advice", "remedy", "doc")
_EVALUATIONS = ("experiment", "task", "method", "metric", "value", *_COMMON, "n")


@dataclass(frozen=True, repr=False, eq=False)
class Results:
    """Tables of all experiments of a results folder. What is not known is missing (NaN or None); an
    interval is one of 95 %, from ``low`` to ``high``."""

    runs: pd.DataFrame
    """A row per experiment. experiment; row: its row of the comparison, which seeds share; dataset;
    modality; encoder: its kind; trained: whether it is judged, else it is a floor; seed; steps
    (optimizer steps); epochs; parameters and predictor_parameters (counts); verdict of the monitor;
    then the columns of ``summary``, of this experiment alone."""
    summary: pd.DataFrame
    """summary.csv: a row per row of the comparison, with means over seeds. experiment, encoder, seeds,
    verdict; accuracies on the test part, 0 to 1: logistic (with logistic_low, logistic_high), ridge,
    knn, attentive, few1 to few100 (labels per class; few10_low, few10_high), majority, covariates;
    n_test (samples); effective_rank, rankme, lidar, dim (dimensions), n_rank (samples); final_loss;
    wall_seconds (s), gpu_hours (h). Of the verdict card: card_level (good, warn, bad), card_title,
    card_sentence."""
    training: pd.DataFrame
    """A row per row of metrics.csv: experiment, step (optimizer steps), epoch, loss and the other
    columns of that file."""
    validation: pd.DataFrame
    """The same of validation.csv: experiment, step, val_loss and others."""
    probes: pd.DataFrame
    """A row per score on the test part. experiment; target: "label", or a further target; nuisance:
    whether embeddings should not tell it; probe: logistic, ridge, knn, attentive, few<labels per
    class>, regression (of numbers), or majority and covariates, which see no embedding; metric:
    accuracy, balanced_accuracy, macro_f1 (0 to 1), ece (0 to 1), log_loss (nats), r2; value, low, high;
    floor: which one it is, None of an encoder that is judged; n (test samples)."""
    comparisons: pd.DataFrame
    """A row per comparison. experiment: a row of ``summary``, or an experiment whose predictions are
    compared; seeds; against: a floor, another experiment, or the best baseline; kind of that; measure;
    unit of the difference: points (of 100, accuracy) or "of the metric"; difference, positive where
    the experiment is better, low, high; p and adjusted_p, by Holm's method over all comparisons of
    these experiments; says: beats, ties, below or undecided; n (test samples); groups: how many were
    resampled; within: whether the interval is of samples within groups."""
    findings: pd.DataFrame
    """A row per fault that the monitor found: experiment, finding, severity (error, warning),
    evidence, advice, remedy (YAML to put into the config, or None), doc."""
    evaluations: pd.DataFrame
    """A row per metric of a method that predicts: experiment, task, method, metric, value, low, high,
    n (what was predicted). ``ceiling`` is what replicates reach."""
    missing: dict[str, list[str]]
    """Steps whose results are not there, by experiment. Their rows are left out."""

    def __repr__(self) -> str:
        rows = {name: len(table) for name, table in vars(self).items() if name != "missing"}
        return "Results of rows: " + ", ".join(f"{name} {n}" for name, n in rows.items())


def results(
    folder: str | Path = "results",
    experiments: Sequence[str] | None = None,
    data: str | Path | None = None,
) -> Results:
    """Results of a workflow, or of ``jepa-steps judge``, as tables.

    Args:
        folder: ``results`` of a workflow, or what ``--out`` of judge names.
        experiments: names, in the order wanted; by default all, by name. Adjusted p values are over
            these, so that those of a report need its experiments.
        data: folder of prepared data sets; by default ``data`` beside the results.

    Raises:
        InputError: no results in the folder, a name that it lacks, or a file that is damaged.
    """
    root = Path(folder) / "results" if (Path(folder) / "results").is_dir() else Path(folder)
    names = _names(root, experiments)
    lacking = {name: _lacking(root, name) for name in names}
    missing = {name: steps for name, steps in lacking.items() if steps}
    manifests = _manifests(root.parent / "data" if data is None else Path(data))
    known = [name for name in names if "train" not in lacking[name]]
    page = stand([read_experiment(root, name, manifests, lacking[name]) for name in known])
    return Results(
        runs=_frame(tables.runs(page)),
        summary=_frame(tables.summaries(page, missing)),
        training=_curves(root, known, "metrics.csv"),
        validation=_curves(root, known, "validation.csv"),
        probes=_frame(tables.probes(page), _PROBES),
        comparisons=_frame(tables.comparisons(page), _COMPARISONS),
        findings=_frame(tables.findings(page), _FINDINGS),
        evaluations=_frame(tables.evaluations(page), _EVALUATIONS),
        missing=missing,
    )


def _names(root: Path, wanted: Sequence[str] | None) -> list[str]:
    """Experiments that any step has left something of, by name; those wanted, in their order."""
    found = {path.name for step in TABLES for path in (root / step).glob("[!.]*") if path.is_dir()}
    if not any((root / "train" / name / "encoder.json").is_file() for name in found):
        raise InputError(
            f"{root}: found no train/<experiment>/encoder.json, expected the results of a workflow, or "
            "what jepa-steps judge --out names"
        )
    if unknown := [name for name in wanted or () if name not in found]:
        raise InputError(
            f"experiments: found {unknown[0]!r}, expected some of {', '.join(sorted(found))}"
        )
    return sorted(found) if wanted is None else list(wanted)


def _lacking(root: Path, name: str) -> list[str]:
    """Steps that have not written all that is read of them."""
    return [
        step
        for step, files in TABLES.items()
        if not all((root / step / name / file).is_file() for file in files)
    ]


def _manifests(data: Path) -> dict[str, dict[str, Any]]:
    """manifest.json by folder, of a folder of data sets or of one."""
    found = [path for path in (data, *sorted(data.glob("*"))) if (path / "manifest.json").is_file()]
    return {str(path): read_json(path / "manifest.json", "sha256") for path in found}


def _frame(records: list[tables.Record], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Records as a table; a column of which nothing is known is of numbers, so that it can be drawn."""
    frame = pd.DataFrame(records, columns=columns)
    unknown = frame.columns[frame.isna().all()] if records else []
    return frame.astype(dict.fromkeys(unknown, float))


def _curves(root: Path, names: Iterable[str], file: str) -> pd.DataFrame:
    """A table of training of all experiments, one below the other."""
    found = []
    for name in names:
        if (path := root / "train" / name / file).is_file():
            found.append(pd.DataFrame({"experiment": name, **read_numbers(path)}))
    rows = [frame for frame in found if len(frame)]
    whole = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["experiment", "step"])
    return whole.astype({"step": int})
