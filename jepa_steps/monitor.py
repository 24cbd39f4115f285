"""Judge the health of embeddings and of the training that made them.

    python -m jepa_steps.monitor --embed results/embed/mine --data data/digits \\
        --train results/train/mine --out results/monitor/mine

With --evaluation, the evaluation.json of a predictor, it also checks whether predictions depend on the
condition, and whether they are better than repeating the present.

Writes monitor.json (a named verdict with evidence and a remedy to paste, statistics of pooled
embeddings and of tokens, shares of variance that labels and named groups explain, and how well
label-free criteria rank the snapshots), snapshots.csv (statistics over training) and figures.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from .arrays import narrowed, read_array, rows_of
from .cli import add_spec, parser, read_spec, run
from .config import JUDGED, JepaRun, Monitor, Settings, parse
from .config.training import parse_training
from .data.splits import Splits, read_splits
from .draws import evenly
from .errors import InputError
from .figures import training as figures
from .figures.spectra import spectra_over_training
from .figures.style import message, save
from .files import read_json, read_numbers, staged, write_csv, write_json
from .metrics import diagnosis, selection, spectrum
from .metrics.embedding import moment_statistics, norms, token_statistics
from .metrics.evidence import Evidence
from .metrics.moments import Moments, moments, token_moments
from .metrics.nuisance import nuisance_share, nuisance_statistics
from .metrics.remedies import given_by
from .metrics.stages import stage
from .modalities import optional_part

COUNTED = 25_600  # samples behind shares of variance
PICTURES = ("masks", "samples", "neighbours")  # that kinds of data may draw
_DESCRIBED = ("encoder", "token_rows", "snapshot_rows", "snapshot_fractions")


@dataclass(frozen=True)
class _Results:
    """What earlier steps wrote of one experiment.

    embed: embed.json. encoder: encoder.json. train: its settings. tables: columns of metrics.csv,
    validation.csv and timing.csv. snapshots, views: the arrays of embed. evaluation:
    evaluation.json, {} without one.
    """

    embed: dict[str, Any]
    embeddings: np.ndarray
    tokens: np.ndarray
    snapshots: np.ndarray
    views: np.ndarray
    samples: Splits
    encoder: dict[str, Any]
    train: Settings
    tables: dict[str, dict[str, list[float]]]
    evaluation: dict[str, Any]


@dataclass(frozen=True)
class _Stages:
    """The same samples at every snapshot and at the end.

    rows: of snapshots.csv. spectra: (share of training, singular values, n). probed: samples behind the
    probe, by part; 0 where there is none.
    """

    rows: list[dict[str, Any]]
    spectra: list[tuple[float, np.ndarray, int]]
    probed: dict[str, int]


# One BLAS thread: sums do not depend on the machine's number of cores.
@threadpool_limits.wrap(limits=1)
def monitor(
    embed: Path,
    data: Path,
    train: Path,
    settings: Monitor,
    out: Path,
    evaluation: Path | None = None,
) -> dict[str, Any]:
    """Run the step; returns what monitor.json holds."""
    results = _read(embed, data, train, evaluation)
    m = moments(rows_of(results.embeddings, np.flatnonzero(results.samples.split == 0)))
    stages = _over_training(results)
    evidence = _evidence(results, m, stages)
    findings = diagnosis.diagnose(evidence, settings)
    losses = results.tables["metrics"].get("loss", [])
    measured = ("pooled", "tokens", "ranks", "nuisance", "conditions", "persistence", "motion")
    result = {
        **diagnosis.verdict(findings, results.embed["encoder"] in JUDGED),
        "encoder": results.embed["encoder"],
        **{name: getattr(evidence, name) for name in measured},
        "prediction": _prediction(results.tables["validation"]),
        "final_loss": losses[-1] if losses else None,
        "selection": _selection(stages, len(m.mean)),
    }
    drawn = _curves(results.tables, stages, m.std) | _pictures(results, data)
    with staged(out) as folder:
        write_json(folder / "monitor.json", result)
        write_csv(folder / "snapshots.csv", stages.rows[0], (row.values() for row in stages.rows))
        for name, figure in drawn.items():
            save(figure, folder / f"{name}.svg")
    return result


def _read(embed: Path, data: Path, train: Path, evaluation: Path | None) -> _Results:
    description = read_json(embed / "embed.json", *_DESCRIBED)
    embeddings = _array(embed / "embeddings.npy", "rows, dimensions")
    samples = read_splits(data / "splits.csv")
    if len(samples.split) != len(embeddings):
        raise InputError(f"{embed}: {len(embeddings)} embeddings, {len(samples.split)} rows in {data}")
    encoder = read_json(train / "encoder.json", "train", "modality")
    return _Results(
        description,
        embeddings,
        _array(embed / "tokens.npy", "samples, tokens, dimensions"),
        _array(embed / "snapshots.npy", "stages, samples, dimensions"),
        _array(embed / "views.npy", "stages, samples, views, dimensions"),
        samples,
        encoder,
        parse_training(encoder["train"], str(train / "encoder.json"), encoder["modality"]),
        {name: read_numbers(train / f"{name}.csv") for name in ("metrics", "validation", "timing")},
        read_json(evaluation) if evaluation else {},
    )


def _array(path: Path, axes: str) -> np.ndarray:
    return narrowed(read_array(path, axes))


def _evidence(results: _Results, m: Moments, stages: _Stages) -> Evidence:
    """What rules judge: of training samples the embeddings ``m`` and tokens, and the course of
    training."""
    samples, embeddings = results.samples, results.embeddings
    training = np.flatnonzero(samples.split == 0)
    of_training = samples.split[np.array(results.embed["token_rows"])] == 0
    some = evenly(training, COUNTED)
    return Evidence(
        pooled={**norms(rows_of(embeddings, training)), **moment_statistics(m)},
        tokens=token_statistics(token_moments(results.tokens[of_training])),
        ranks=spectrum.summary(m),
        singular_values=spectrum.singular_values(m),
        history=results.tables["metrics"],
        validation=results.tables["validation"],
        snapshots=stages.rows,
        probe_n=stages.probed["val"],
        nuisance=_nuisance(embeddings[some], some, samples),
        conditions=results.evaluation.get("conditions"),
        persistence=results.evaluation.get("persistence"),
        motion=results.evaluation.get("motion"),
        weights=results.encoder.get("weights"),
        settings=results.train if isinstance(results.train, JepaRun) else None,
        remedies=given_by(optional_part(results.encoder["modality"], "remedies")),
    )


def _curves(tables: dict, stages: _Stages, std: np.ndarray) -> dict[str, Figure]:
    return {
        "losses": figures.losses(tables["metrics"], tables["validation"]),
        "rates": figures.rates(tables["metrics"]),
        "norms": figures.norms(tables["metrics"]),
        "throughput": figures.throughput(tables["timing"]),
        "over_training": figures.over_training(stages.rows),
        "spectra": spectra_over_training(stages.spectra),
        "std": figures.std_histogram(std),
    }


def _pictures(results: _Results, data: Path) -> dict[str, Figure]:
    """Pictures of the samples themselves, where their kind of data has any."""
    modality = results.encoder["modality"]
    module = optional_part(modality, "figures")
    none = {name: message(f"no picture of {modality}") for name in PICTURES}
    if module is None:
        return none
    return none | module.pictures(results.train, results.encoder, data, results.embeddings)


def _over_training(results: _Results) -> _Stages:
    samples, rows = results.samples, np.array(results.embed["snapshot_rows"])
    parts = {name: samples.split[rows] == code for code, name in enumerate(("train", "val"))}
    y = {name: samples.labels[rows[part]] for name, part in parts.items()}
    # The end alone orders nothing, and probe.json has it.
    labelled = len(results.snapshots) > 0 and _has_labels(y["train"], y["val"])
    fractions = [*results.embed["snapshot_fractions"], 1.0]
    embeddings = [*results.snapshots, results.embeddings[rows]]
    stages, spectra = [], []
    for fraction, z, views_nqD in zip(fractions, embeddings, results.views, strict=True):
        train, val = z[parts["train"]], z[parts["val"]]
        statistics, sigma = stage(train, views_nqD)
        share = nuisance_share(_nuisance(train, rows[parts["train"]], samples))
        probe = selection.probe_accuracy(train, y["train"], val, y["val"]) if labelled else None
        own = {"nuisance_share": share, "val_loss": _validated(results, fraction), "probe": probe}
        stages.append({"fraction": fraction, **statistics, **own})
        spectra.append((fraction, sigma, len(train)))
    n = {name: int(part.sum()) if labelled else 0 for name, part in parts.items()}
    return _Stages(stages, spectra, n)


def _validated(results: _Results, fraction: float) -> float | None:
    """The loss on val after a share of training, where there was a validation at that step."""
    table = results.tables["validation"]
    if "val_loss" not in table or not isinstance(results.train, JepaRun):
        return None
    at = dict(zip(table["step"], table["val_loss"], strict=True))
    return at.get(round(fraction * results.train.steps))


def _has_labels(train: np.ndarray, val: np.ndarray) -> bool:
    """Whether all samples are labelled, and most classes of val are in train: else they are held out."""
    labelled = all(len(y) and (y >= 0).all() for y in (train, val)) and len(np.unique(train)) > 1
    return bool(labelled and np.isin(val, train).mean() > 0.5)


def _selection(stages: _Stages, dim: int) -> dict[str, Any]:
    """How well label-free criteria order the snapshots; why none of them is a rank, where that is so."""
    rows = stages.rows
    refused = rows[0]["trust"] == "refused"
    reason = spectrum.refusal(rows[0]["n"], dim) if refused else None
    return {"stages": len(rows), "n": stages.probed, "no_rank": reason, **selection.agreement(rows)}


def _prediction(validation: dict[str, list[float]]) -> dict[str, float] | None:
    """How near predictions on val were to their targets, and to others', at the last validation."""
    if not validation.get("val_alignment"):
        return None
    names = {"step": "step", "alignment": "val_alignment", "shuffled": "val_alignment_shuffled"}
    return {name: validation[column][-1] for name, column in names.items()}


def _nuisance(z: np.ndarray, rows: np.ndarray, samples: Splits) -> dict[str, Any] | None:
    """Of embeddings z of these rows of the data: of all that they should not tell, what explains most;
    None where nothing is named."""
    found = []
    for name, codes in _nuisances(samples).items():
        known = codes[rows] >= 0
        if known.any():
            part = (z[known], codes[rows][known], samples.labels[rows][known])
            found.append({"name": name, **nuisance_statistics(*part)})
    return max(found, key=lambda one: nuisance_share(one) or 0.0, default=None)


def _nuisances(samples: Splits) -> dict[str, np.ndarray]:
    """int64 (n,) by name: the nuisance column or named groups, and targets that are nuisances; -1 is
    unknown."""
    found = {}
    if samples.nuisance is not None:
        found[samples.nuisance_column or samples.unit] = samples.nuisance
    for name, target in samples.targets.items():
        if target.nuisance and target.kind == "classes":
            found[name] = target.values
    return found


def main(argv: list[str] | None = None) -> None:
    """The command line; see the top of this file or ``--help``."""
    p = parser(__doc__)
    add_spec(p, "experiments.NAME.monitor")
    p.add_argument("--embed", type=Path, required=True, help="folder written by embed")
    p.add_argument("--data", type=Path, required=True, help="folder written by prepare")
    p.add_argument("--train", type=Path, required=True, help="folder written by train")
    p.add_argument("--evaluation", type=Path, help="evaluation.json written by evaluate")
    p.add_argument("--out", type=Path, required=True, help="folder for the results")
    args = p.parse_args(argv)
    settings = parse(Monitor, *read_spec(args.spec))
    result = monitor(args.embed, args.data, args.train, settings, args.out, args.evaluation)
    print(f"{args.out}: {result['verdict']}")
    for finding in result["findings"]:
        print(f"  {finding['severity']}: {finding['name']}: {finding['evidence']}. {finding['advice']}")


if __name__ == "__main__":
    run(main)
