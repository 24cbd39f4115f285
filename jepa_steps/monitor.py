"""Judge the health of embeddings and of the training that made them.

    python -m jepa_steps.monitor --embed results/embed/mine --data data/digits \\
        --train results/train/mine --out results/monitor/mine

With --evaluation, the evaluation.json of a predictor, it also says whether predictions depend on the
condition.

Writes monitor.json (a named verdict with evidence and a remedy to paste, statistics of pooled
embeddings and of tokens, shares of variance that labels and named groups explain, and how well
label-free criteria order the snapshots), snapshots.csv (statistics over training) and figures.
"""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from .cli import add_spec, parser, read_json, read_spec, run, staged, write_csv, write_json
from .config import ExpressionJepa, JepaRun, JepaTraining, Monitor, Training, parse, parse_training
from .data.masks import MultiBlockMasks
from .data.store import Splits, Store, evenly, open_store, read_array, read_splits
from .errors import InputError
from .figures import training as figures
from .figures.masks import masks
from .figures.samples import masks_on_samples, neighbours
from .figures.spectra import spectra_over_training
from .figures.style import message, save
from .metrics import diagnosis, selection, spectrum
from .metrics.embedding import moment_statistics, norms, token_statistics
from .metrics.evidence import Evidence
from .metrics.moments import Picked, moments, token_moments
from .metrics.nuisance import nuisance_share, nuisance_statistics
from .metrics.stages import stage

COUNTED = 25_600  # samples behind shares of variance, and among which neighbours are sought
SHOWN = 6  # images in a figure
_DESCRIBED = ("encoder", "token_rows", "snapshot_rows", "snapshot_fractions")


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
    description = read_json(embed / "embed.json", *_DESCRIBED)
    embeddings = read_array(embed / "embeddings.npy", "rows, dimensions")
    tokens = read_array(embed / "tokens.npy", "samples, tokens, dimensions")
    images = read_json(data / "manifest.json", "modality")["modality"] == "images"
    store, samples = open_store(data) if images else None, read_splits(data / "splits.csv")
    if len(samples.split) != len(embeddings):
        raise InputError(f"{embed}: {len(embeddings)} embeddings, {len(samples.split)} rows in {data}")
    encoder = read_json(train / "encoder.json", "train")
    trained = parse_training(encoder["train"], str(train / "encoder.json"))
    tables = {name: read_columns(train / f"{name}.csv") for name in ("metrics", "validation", "timing")}

    training = np.flatnonzero(samples.split == 0)
    some = evenly(training, COUNTED)
    m = moments(Picked(embeddings, training))
    seen = samples.split[np.array(description["token_rows"])] == 0
    stages, spectra, probed = _over_training(embed, description, embeddings, samples)
    evidence = Evidence(
        pooled={**norms(Picked(embeddings, training)), **moment_statistics(m)},
        tokens=token_statistics(token_moments(tokens[seen])),
        ranks=spectrum.summary(m),
        singular_values=spectrum.singular_values(m),
        history=tables["metrics"],
        validation=tables["validation"],
        snapshots=stages,
        probe_n=probed["val"],
        nuisance=_nuisance(embeddings[some], some, samples),
        conditions=read_json(evaluation).get("conditions") if evaluation else None,
        settings=trained if isinstance(trained, JepaRun) else None,
    )
    found = diagnosis.diagnose(evidence, settings)
    measured = ("pooled", "tokens", "ranks", "nuisance", "conditions")
    losses = tables["metrics"].get("loss", [])
    result = {
        **diagnosis.verdict(found, description["encoder"] == "jepa"),
        "encoder": description["encoder"],
        **{name: getattr(evidence, name) for name in measured},
        "prediction": _prediction(tables["validation"]),
        "final_loss": losses[-1] if losses else None,
        "selection": _selection(stages, probed, len(m.mean)),
    }
    drawn = _figures(tables, stages, spectra, m.std)
    drawn |= {
        "masks": _mask_figure(trained, encoder),
        "samples": _masked_samples(trained, encoder, store),
        "neighbours": _neighbours(store, embeddings) if store else message("cells have no picture"),
    }
    with staged(out) as folder:
        write_json(folder / "monitor.json", result)
        write_csv(folder / "snapshots.csv", stages[0], (row.values() for row in stages))
        for name, figure in drawn.items():
            save(figure, folder / f"{name}.svg")
    return result


def _figures(tables: dict, stages: list, spectra: list, std: np.ndarray) -> dict[str, Figure]:
    return {
        "losses": figures.losses(tables["metrics"], tables["validation"]),
        "rates": figures.rates(tables["metrics"]),
        "norms": figures.norms(tables["metrics"]),
        "throughput": figures.throughput(tables["timing"]),
        "over_training": figures.over_training(stages),
        "spectra": spectra_over_training(spectra),
        "std": figures.std_histogram(std),
    }


def _over_training(
    embed: Path, description: dict, embeddings: np.ndarray, samples: Splits
) -> tuple[list[dict[str, Any]], list[tuple[float, np.ndarray, int]], dict[str, int]]:
    """Of the same samples at every snapshot and at the end: rows of snapshots.csv, spectra (share of
    training, singular values, n), and the numbers of samples behind the probe."""
    rows = np.array(description["snapshot_rows"])
    parts = {name: samples.split[rows] == code for code, name in enumerate(("train", "val"))}
    y = {name: samples.labels[rows[part]] for name, part in parts.items()}
    labelled = all(len(v) and (v >= 0).all() for v in y.values()) and len(np.unique(y["train"])) > 1
    labelled = labelled and np.isin(y["val"], y["train"]).mean() > 0.5  # else the classes are held out
    snapshots = read_array(embed / "snapshots.npy", "stages, samples, dimensions")
    views = read_array(embed / "views.npy", "stages, samples, views, dimensions")
    labelled = labelled and len(snapshots) > 0  # the end alone orders nothing, and probe.json has it
    each = [*zip(description["snapshot_fractions"], snapshots, strict=True), (1.0, embeddings[rows])]
    stages, spectra = [], []
    for (fraction, z), views_nqD in zip(each, views, strict=True):
        train, val = z[parts["train"]], z[parts["val"]]
        statistics, sigma = stage(train, views_nqD)
        share = nuisance_share(_nuisance(train, rows[parts["train"]], samples))
        probe = selection.probe_accuracy(train, y["train"], val, y["val"]) if labelled else None
        stages.append({"fraction": fraction, **statistics, "nuisance_share": share, "probe": probe})
        spectra.append((fraction, sigma, len(train)))
    return stages, spectra, {name: int(part.sum()) if labelled else 0 for name, part in parts.items()}


def _selection(stages: list[dict[str, Any]], probed: dict[str, int], dim: int) -> dict[str, Any]:
    """How well label-free criteria order the snapshots; why none of them is a rank, where that is so."""
    refused = stages[0]["trust"] == "refused"
    reason = spectrum.refusal(stages[0]["n"], dim) if refused else None
    return {"stages": len(stages), "n": probed, "no_rank": reason, **selection.agreement(stages)}


def _prediction(validation: dict[str, list[float]]) -> dict[str, float] | None:
    """How near predictions on val were to their targets, and to others', at the last validation."""
    if not validation.get("val_alignment"):
        return None
    names = {"step": "step", "alignment": "val_alignment", "shuffled": "val_alignment_shuffled"}
    return {name: validation[column][-1] for name, column in names.items()}


def _nuisance(z: np.ndarray, rows: np.ndarray, samples: Splits) -> dict[str, Any] | None:
    """Of embeddings z of these rows of the data; None where no groups are named."""
    if samples.nuisance is None:
        return None
    return nuisance_statistics(z, samples.nuisance[rows], samples.labels[rows])


def _mask_figure(trained: Training, encoder: dict) -> Figure:
    if not isinstance(trained, JepaTraining):
        return message(_unmasked(trained))
    side = encoder["image_size"] // trained.model.patch_size
    return masks(trained, (side, side))


def _unmasked(trained: Training) -> str:
    if not isinstance(trained, ExpressionJepa):
        return "a floor: nothing is hidden"
    if trained.task == "perturbation":
        return "nothing is hidden: the perturbed cell is predicted"
    return f"{trained.hidden} of {trained.model.tokens} modules of genes are hidden at random"


def _masked_samples(trained: Training, encoder: dict, store: Store | None) -> Figure:
    """Context and targets of the last batch's masks on training images."""
    if not isinstance(trained, JepaTraining):
        return message(_unmasked(trained))
    side, index = encoder["image_size"] // trained.model.patch_size, evenly(store.rows("train"), SHOWN)
    sampler = MultiBlockMasks.of(trained.masks, (side, side), trained.seed)
    drawn = sampler(trained.steps - 1, np.zeros(len(index), np.int64), index)
    return masks_on_samples(store.images[index], drawn.context, drawn.targets, (side, side))


def _neighbours(store: Store, embeddings: np.ndarray) -> Figure:
    queries, pool = evenly(store.rows("test"), SHOWN), evenly(store.rows("train"), COUNTED)
    return neighbours(store.images, embeddings, queries, pool, store.labels, store.manifest["classes"])


def read_columns(path: Path) -> dict[str, list[float]]:
    """Columns of a table that train writes; lists are empty for floors.

    Raises:
        InputError: missing file.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; run jepa_steps.train first")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
        return {name: [float(row[name]) for row in rows] for name in reader.fieldnames or []}


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
