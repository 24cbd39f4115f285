"""Probe frozen embeddings with labels: linear, neighbours, few labels, with intervals.

    python -m jepa_steps.probe --embeddings results/embed/mine/embeddings.npy \\
        --splits data/digits/splits.csv --out results/probe/mine

C is chosen on val, the probe refitted on train + val, test used once. Writes probe.json, classes.csv
(per class), predictions.csv (per test sample), the probe itself (probe.safetensors) and figures.
Data without labels get a probe.json that says so.
"""

from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from threadpoolctl import threadpool_limits

from .cli import add_spec, parser, read_spec, run, staged, write_csv, write_json
from .config import Probe, parse
from .data import counter
from .data.store import read_array, read_splits
from .errors import InputError
from .figures import probing
from .figures.style import save
from .metrics import probes
from .metrics.neighbours import knn_probe


def probe(embeddings: Path, splits: Path, settings: Probe, out: Path) -> dict[str, Any]:
    """Run the step; returns what probe.json holds."""
    rows = read_array(embeddings)
    labels, split = read_splits(splits)
    if len(labels) != len(rows):
        raise InputError(f"{splits}: {len(labels)} rows for {len(rows)} embeddings; embed again")
    parts = [np.flatnonzero((split == code) & (labels >= 0)) for code in range(3)]
    parts[0] = counter.generator(settings.seed, "probe sample").permutation(parts[0])
    parts[0] = np.sort(parts[0][: settings.max_train])
    if min(len(part) for part in parts) == 0 or len(np.unique(labels[parts[0]])) < 2:
        with staged(out) as folder:
            return _unlabelled(folder)
    x = probes.standardise(*(rows[part] for part in parts))
    data = probes.Split3(*x, *(labels[part] for part in parts))
    # One BLAS thread: sums do not depend on the machine's number of cores.
    with threadpool_limits(1):
        predictions, result, model = _run_probes(data, settings)
    with staged(out) as folder:
        write_json(folder / "probe.json", result)
        _write_predictions(folder / "predictions.csv", parts[2], data.test_y, predictions)
        _write_classes(folder / "classes.csv", data.test_y, predictions["logistic"])
        weights = {"coef": model.coef_, "intercept": model.intercept_, "classes": model.classes_}
        train = rows[parts[0]].astype(np.float64)
        save_file({**weights, "mean": train.mean(0), "std": train.std(0)}, folder / "probe.safetensors")
        save(probing.confusion(data.test_y, predictions["logistic"]), folder / "confusion.svg")
        save(probing.components(data.test, data.test_y), folder / "components.svg")
    return result


def _run_probes(data: probes.Split3, settings: Probe):
    classes = int(max(data.train_y.max(), data.val_y.max(), data.test_y.max())) + 1
    probabilities, chosen = probes.logistic_probe(data, settings.logistic_c)
    model = chosen.pop("model")
    ridge, ridge_choice = probes.ridge_probe(data)
    both_x, both_y = data.both
    predictions = {
        "logistic": model.classes_[probabilities.argmax(1)],
        "ridge": ridge,
        "knn": knn_probe(both_x, both_y, data.test, settings.knn_k),
        "majority": np.full(len(data.test_y), np.bincount(both_y).argmax()),
    }
    result: dict[str, Any] = {
        "labels": classes,
        "n": {"train": len(data.train_y), "val": len(data.val_y), "test": len(data.test_y)},
        "interval": f"95 % percentile bootstrap over test samples, {settings.bootstrap} resamples",
    }
    choices = {"logistic": chosen, "ridge": ridge_choice, "knn": {"k": settings.knn_k}}
    full = probabilities if len(model.classes_) == classes else None
    for name, predicted in predictions.items():
        p = full if name == "logistic" else None
        result[name] = {**probes.scores(data.test_y, predicted, p, classes), **choices.get(name, {})}
        result[name]["accuracy_interval"] = _interval(predicted[None], data, settings)
    result["few_label"] = {}
    for k in settings.few_labels:
        drawn = probes.few_label_probe(data, k, settings.few_draws, settings.seed)
        if drawn is None:
            continue
        predictions |= {f"few{k}_{i}": row for i, row in enumerate(drawn)}
        correct = drawn == data.test_y
        result["few_label"][str(k)] = {
            "accuracy": float(correct.mean()),
            "std_over_draws": float(correct.mean(1).std(ddof=1)) if len(drawn) > 1 else 0.0,
            "draws": len(drawn),
            "accuracy_interval": _interval(drawn, data, settings),
        }
    return predictions, result, model


def _interval(predicted: np.ndarray, data: probes.Split3, settings: Probe) -> list[float]:
    """Interval of the accuracy of (draws, m) predictions, resampling test samples."""
    correct = (predicted == data.test_y).mean(0)
    return probes.bootstrap_interval(correct, settings.bootstrap, settings.seed)


def _unlabelled(folder: Path) -> dict[str, Any]:
    result = {"labels": 0, "reason": "train, val and test need labels, and train two classes"}
    write_json(folder / "probe.json", result)
    (folder / "predictions.csv").write_text("index,label\n")
    (folder / "classes.csv").write_text("class,n,precision,recall\n")
    save_file({}, folder / "probe.safetensors")
    for name in ("confusion.svg", "components.svg"):
        save(probing.empty("no labels"), folder / name)
    return result


def _write_predictions(path: Path, rows: np.ndarray, y: np.ndarray, predictions: dict) -> None:
    names = [name for name in predictions if name != "majority"]
    columns = zip(rows, y, *(predictions[n] for n in names), strict=True)
    write_csv(path, ["index", "label", *names], columns)


def _write_classes(path: Path, y: np.ndarray, predicted: np.ndarray) -> None:
    rows = []
    for c in np.unique(y):
        n, called = int((y == c).sum()), int((predicted == c).sum())
        hits = int(((y == c) & (predicted == c)).sum())
        rows.append([c, n, hits / max(called, 1), hits / n])
    write_csv(path, ["class", "n", "precision", "recall"], rows)


def main(argv: list[str] | None = None) -> None:
    """The command line; see the top of this file or ``--help``."""
    p = parser(__doc__)
    add_spec(p, "experiments.NAME.probe")
    p.add_argument("--embeddings", type=Path, required=True, help=".npy, float (rows, dimensions)")
    p.add_argument("--splits", type=Path, required=True, help="splits.csv with a row an embedding")
    p.add_argument("--out", type=Path, required=True, help="folder for the results")
    args = p.parse_args(argv)
    result = probe(args.embeddings, args.splits, parse(Probe, *read_spec(args.spec)), args.out)
    if not result["labels"]:
        print(f"{args.out}: not probed, {result['reason']}")
        return
    low, high = result["logistic"]["accuracy_interval"]
    print(f"{args.out}: linear probe {result['logistic']['accuracy']:.4f} [{low:.4f}, {high:.4f}]")


if __name__ == "__main__":
    run(main)
