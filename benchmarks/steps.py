"""An experiment through the steps, as the workflow runs them: what benchmarks share."""

import copy
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jepa_steps import evaluate, probe, train
from jepa_steps.config import JepaRun, parse, resolved
from jepa_steps.config.experiments import Config, Experiment
from jepa_steps.config.training import parse_dataset
from jepa_steps.embed import embed_store
from jepa_steps.files import read_json
from jepa_steps.metrics.comparison import over_seeds, paired
from jepa_steps.modalities import open_store, part
from jepa_steps.modalities.expression.effects.methods import FLOORLESS, MODEL
from jepa_steps.modalities.expression.effects.metrics import METRICS, mean_over_perturbations
from jepa_steps.modalities.expression.effects.verdicts import Values, judge

SHOWN = ("pearson_delta", "pearson_delta_perturbed", "l2", "discrimination")


def changed(block: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy of nested settings with some of them changed."""
    block = copy.deepcopy(block)
    for name, value in changes.items():
        inside = isinstance(value, dict) and isinstance(block.get(name), dict)
        block[name] = changed(block[name], value) if inside else value
    return block


def prepared(dataset: dict[str, Any], out: Path, modality: str = "expression") -> Path:
    """The folder of a data set."""
    part(modality, "prepare").prepare(parse_dataset(dataset, str(out), modality), out, 1)
    return out


def parsed(block: dict[str, Any], data: Path, source: str) -> Experiment:
    """One experiment of a config, whose data set is the one in the folder ``data``."""
    dataset = read_json(data / "manifest.json", "settings")["settings"]
    config = {block["modality"]: {block["dataset"]: dataset}, "experiments": {"benchmark": block}}
    return parse(Config, config, source).experiments["benchmark"]


def trained(experiment: Experiment, data: Path, out: Path) -> Path:
    """The folder of the trained encoder, or of a floor."""
    store = open_store(data)
    if isinstance(experiment.train, JepaRun):
        train.train_jepa(experiment.train, store, out / "train", out / "checkpoints")
    else:
        train.build_encoder(experiment.train, store, out / "train")
    return out / "train"


# ------------------------------------------------------------------------------ what embeddings tell


class Read(NamedTuple):
    """What the linear probe says of m test cells, and by which choice.

    measures: by name float64 (m,), whose mean is the figure: 1 where the cell is read rightly, the same
    weighted so that all classes count alike, and the share of draws of 10 labels a class.
    val: accuracy on val, by which C was chosen. pooling: as chosen on val. context: accuracy of the
    probe for the context, None where there is one.
    """

    measures: dict[str, np.ndarray]
    val: float
    pooling: str
    context: float | None


def read(block: dict[str, Any], data: Path, out: Path) -> Read:
    """Train, embed and probe one experiment of a config; what embeddings tell of the label."""
    probed = judged(block, data, out)
    found = read_json(probed / "probe.json")
    with (probed / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    label = np.array([int(row["label"]) for row in rows])
    right, *few = (
        np.array([row[name] == row["label"] for row in rows], np.float64)
        for name in ("logistic", *(n for n in rows[0] if n.startswith("few10_")))
    )
    measures = {"accuracy": right, "balanced accuracy": weighed(right, label)}
    if few:
        measures["10 labels a class"] = np.mean(few, 0)
    val = max(found["logistic"]["val_accuracy"].values())
    context = found["of_covariates"].get("context", {}).get("accuracy")
    return Read(measures, val, found["pooling"]["chosen"], context)


def read_target(probed: Path, target: str) -> Read:
    """What embeddings that are probed in a folder tell of a target of classes."""
    found = read_json(probed / "probe.json")["of_targets"][target]
    with (probed / "targets.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["target"] == target]
    label = np.unique([row["label"] for row in rows], return_inverse=True)[1]
    right = np.array([row["logistic"] == row["label"] for row in rows], np.float64)
    few = np.array([float(row["few10"]) for row in rows])
    measures = {"accuracy": right, "balanced accuracy": weighed(right, label)}
    measures |= {"10 labels a class": few, "10 labels a class, balanced": weighed(few, label)}
    return Read(measures, max(found["logistic"]["val_accuracy"].values()), "mean", None)


def judged(block: dict[str, Any], data: Path, out: Path) -> Path:
    """The folder of the probes of one experiment of a config, trained and embedded."""
    experiment = parsed(block, data, str(out))
    folder, embedded, probed = trained(experiment, data, out), out / "embed", out / "probe"
    embed_store(folder, open_store(data), experiment.embed, embedded)
    probe.probe(embedded / "embeddings.npy", data / "splits.csv", experiment.probe, probed,
                embedded / "poolings.safetensors", embedded / "tokens.npy")  # fmt: skip
    return probed


def weighed(right: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Shares (m,), weighted so that all classes count alike."""
    count = np.bincount(label)
    return right * len(label) / (np.count_nonzero(count) * count[label])


def told(name: str, reads: list[Read]) -> str:
    """Means over seeds, t interval over them where there are several, and each seed's."""
    parts = [f"val {np.mean([r.val for r in reads]):.3f}"]
    for measure in reads[0].measures:
        means = [r.measures[measure].mean() for r in reads]
        low, high = over_seeds(means)
        spread = f" [{low:.3f}, {high:.3f}] ({', '.join(f'{m:.3f}' for m in means)})"
        parts.append(f"{measure} {np.mean(means):.3f}{spread if len(means) > 1 else ''}")
    if reads[0].context is not None:
        parts.append(f"context {np.mean([r.context for r in reads]):.3f}")
    return f"{name} ({', '.join(dict.fromkeys(r.pooling for r in reads))}): {', '.join(parts)}"


def versus(ours: list[Read], floor: list[Read]) -> list[dict[str, Any]]:
    """Paired differences in points by measure, interval over test cells and seeds."""
    both = [name for name in ours[0].measures if name in floor[0].measures]
    cells = np.arange(len(ours[0].measures[both[0]]))
    return [
        {"measure": m, **paired([r.measures[m] for r in ours], [r.measures[m] for r in floor], cells)}
        for m in both
    ]


# ------------------------------------------------------------------------ what predictions are worth


class Predicted(NamedTuple):
    """Scores of P test perturbations by context: method -> metric -> float64 (P,), and their names."""

    methods: dict[str, Values]
    units: list[str]


def predicted(block: dict[str, Any], data: Path, out: Path) -> Predicted:
    """Train and evaluate one experiment of a config."""
    experiment = parsed(block, data, str(out))
    folder = trained(experiment, data, out)
    evaluate.evaluate(folder, data, (resolved(experiment.evaluate), str(out)), out / "evaluate")
    with (out / "evaluate" / "scores.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    methods = {}
    for name in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == name]
        methods[name] = {m: np.array([float(row[m] or "nan") for row in own]) for m in METRICS}
    return Predicted(methods, [row["perturbation"] for row in own])


def joined(parts: Sequence[Predicted]) -> Predicted:
    """The perturbations of several splits together."""
    methods = {
        name: {m: np.concatenate([p.methods[name][m] for p in parts]) for m in METRICS}
        for name in parts[0].methods
        if all(name in p.methods for p in parts)  # not every split has genes with features
    }
    return Predicted(methods, [unit for p in parts for unit in p.units])


def over_training(parts: Sequence[Predicted]) -> Predicted:
    """Scores of several training seeds on the same perturbations, averaged."""
    methods = {
        name: {m: np.mean([p.methods[name][m] for p in parts], 0) for m in METRICS}
        for name in parts[0].methods
    }
    return Predicted(methods, parts[0].units)


def show(found: Predicted, against: dict[str, Values], metrics: Sequence[str] = SHOWN) -> None:
    """A line a method, and verdicts of the model against the best of ``against``."""
    print(f"{len(found.units)} perturbations, {len(set(found.units))} distinct: {', '.join(metrics)}")
    for name, values in found.methods.items():
        print(f"  {name:20}" + "".join(f"{mean_over_perturbations(values[m])[0]:9.3f}" for m in metrics))
    verdicts(found, against, metrics)


def verdicts(found: Predicted, against: dict[str, Values], metrics: Sequence[str] = SHOWN) -> None:
    """The model beside the best of ``against``, metric by metric."""
    ours = {m: found.methods[MODEL][m] for m in metrics}
    for row in judge(ours, against, units=found.units):
        print(f"  {row['metric']}: {row['model']:.3f}, {row['verdict']} {row['best_baseline']} "
              f"({row['baseline']:.3f}), {row['difference']:+.3f} [{row['low']:+.3f}, "
              f"{row['high']:+.3f}], p {row['p_holm']:.3f}", flush=True)  # fmt: skip


def baselines(found: Predicted) -> dict[str, Values]:
    """The methods that the report judges a model against."""
    other = (MODEL, *FLOORLESS, "ceiling")
    return {name: values for name, values in found.methods.items() if name not in other}
