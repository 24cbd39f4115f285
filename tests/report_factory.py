"""Result folders as the steps write them, without training: what the tests of the report read."""

import hashlib
import json
from functools import cache
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from support import parse_training

from jepa_steps.config import resolved
from jepa_steps.modalities.expression import report as expression_report
from jepa_steps.modalities.images import report as images_report
from jepa_steps.reporting.contents import FIGURES

# Images are not predicted; the page of a kind that is needs no other data.
images_report.evaluation = expression_report.evaluation

MODEL = {"patch_size": 2, "dim": 64, "depth": 4, "heads": 2}
N_TEST, CLASSES = 400, 10
FAULTS = {
    "collapse": (
        "error",
        "embeddings spread 0.0031 of their norm around one vector (limit 0.02, n = 1168)",
        "Strengthen what keeps samples apart.",
        {"train": {"objective": {"variance": 25.0, "covariance": 1.0}}},
    ),
    "under-trained": (
        "warning",
        "30 steps (limit 500); the moving average still holds 74 % of the initial weights",
        "Train longer, or let the moving average follow faster.",
        {"train": {"steps": 1000}},
    ),
}


def write_data(folder: Path, classes: list[str] | None = None, leaks: int = 0, salt: str = "") -> Path:
    """A manifest of ten classes; returns the folder."""
    names = classes if classes is not None else [str(c) for c in range(CLASSES)]
    folder.mkdir(parents=True)
    counts = {part: [n] * len(names) for part, n in (("train", 117), ("val", 18), ("test", 40))}
    manifest = {
        "modality": "images",
        "settings": {
            "source": "digits",
            "path": "config/cards/digits.md",
            "image_size": 8,
            "channels": 1,
        },
        "images": {"count": 175 * len(names), "shape": [8, 8, 1], "dtype": "uint8"},
        "classes": names,
        "counts": {part: {"samples": sum(per), "per_class": per} for part, per in counts.items()},
        "duplicates": {
            "copies": 3 + leaks,
            "across_splits": leaks,
            "examples": [["a/1.png", "b/<2>.png"]] * min(leaks, 20),
        },
        "skipped": [],
        "sha256": {name: _sha(salt + name) for name in ("images.npy", "splits.csv")},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write_experiment(
    results: Path,
    name: str,
    encoder: dict,
    accuracy: float = 0.95,
    faults: tuple[str, ...] = (),
    salt: str = "",
    n_test: int = N_TEST,
    draws: int = 3,
    predicts: bool = False,
) -> None:
    """All the report reads of one experiment; ``encoder``: its train settings."""
    train = resolved(parse_training(encoder, "test"))
    rng = np.random.default_rng([train.get("seed", 0), *name.encode()])
    files = {
        "train/encoder.json": {"modality": "images", "train": train, "data_sha256": {n: _sha(salt + n) for n in ("images.npy", "splits.csv")}},
        "train/summary.json": _summary(train),
        "embed/embed.json": {"encoder": train["encoder"], "encoder_sha256": _sha(name), "pooling": "mean"},
        "evaluate/evaluation.json": _evaluation() if predicts else {"task": None, "reason": "a floor"},
        "monitor/monitor.json": _monitor(train, faults),
        "rank/rank.json": _rank(faults),
    }  # fmt: skip
    for path, content in files.items():
        step, file = path.split("/")
        _write(results / step / name / file, json.dumps(content))
    _probe(results / "probe" / name, accuracy, rng, n_test, draws)
    rows = [f"{s},{s / 10},{2 / s:.5f},{1 / s:.5f},0.001" for s in range(50, 601, 50)]
    trained = rows if train["encoder"] == "jepa" else []
    _write(
        results / "train" / name / "metrics.csv",
        "\n".join(["step,epoch,loss,gradient_norm,lr", *trained]) + "\n",
    )
    for drawing in (d for block in FIGURES.values() for d in block):
        if train["encoder"] == "jepa" or "/masks" not in drawing.path:
            _write(results / drawing.path.format(name), figure(drawing.path))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _summary(train: dict) -> dict:
    run = {
        "started": "2025-11-20T08:00:00Z",
        "finished": "2025-11-20T08:01:12Z",
        "restarts": 1,
        "wall_seconds": 71.5,
        "cpu_seconds": 130.0,
        "gpu_hours": 0.0,
        "peak_memory_bytes": 410_000_000,
        "starts": [],
    }
    facts = {
        "commit": {"hash": "0123456789abcdef" * 2 + "01234567", "dirty": False},
        "versions": {"python": "3.11.7", "torch": "2.13.0"},
        "machine": {"cpu": "Abacus 3000", "cores": 2, "memory_bytes": 2**34, "system": "Linux x86_64", "gpus": []},
    }  # fmt: skip
    if train["encoder"] != "jepa":
        return {"steps": 0, "parameters": {"encoder": 0}, "run": run, **facts}
    return {
        "steps": train.get("steps", 10_000),
        "skipped": 0,
        "epochs": 65.8,
        "parameters": {"encoder": 201_280, "predictor": 100_352},
        "flops_per_step": 3_000_000_000,
        "ranks": 1,
        "device": "cpu",
        "precision": "fp32",
        "this_run": {
            "resumed_at_step": 0,
            "seconds": 71.0,
            "samples_per_second": 5012.3,
            "mfu": 0.31,
            "peak_flops": 9.1e10,
            "peak_source": "timed 1024x1024 fp32 product",
        },
        "run": run,
        **facts,
    }


def _monitor(train: dict, faults: tuple[str, ...]) -> dict:
    findings = [
        {
            "name": fault,
            **dict(zip(("severity", "evidence", "advice", "remedy"), FAULTS[fault], strict=True)),
            "doc": f"docs/reading-the-report.md#{fault.replace(' ', '-')}",
        }
        for fault in faults
    ]
    trained = train["encoder"] == "jepa"
    return {
        "verdict": faults[0] if faults else "healthy" if trained else "floor",
        "findings": findings,
        "encoder": train["encoder"],
        "pooled": {
            "n": 1168,
            "relative_spread": 0.0031 if "collapse" in faults else 0.41,
            "dead_share": 0.0,
            "high_correlation_share": 0.002,
        },
        "tokens": {"n": 8192, "samples": 512, "position_share": 0.32, "sample_share": 0.2},
        "prediction": {"step": 600, "alignment": 0.31, "shuffled": 1.2} if trained else None,
        "final_loss": 0.21 if trained else None,
        "nuisance": None,
        "selection": {
            "n": {"train": 600, "val": 180},
            "lidar": {"spearman": 0.9, "chosen": 0.75, "chosen_probe": 0.93, "best_probe": 0.94},
        },
    }


def _evaluation() -> dict:
    """As of a leaky split, with the longest names that a method has."""
    line = {"mean": 0.517, "n": 9, "low": 0.318, "high": 0.712}
    methods = ("JEPA", "predictor", "expression_shifts", "pca_shifts", "perturbed_mean", "additive")
    return {
        "task": "perturbation",
        "split": "cell",
        "leaky": True,
        "held_out": "6 perturbations, 9 with their contexts",
        "perturbations": {"by_context": 9, "distinct": 6},
        "cells": 860,
        "trained_on": {"by_context": 34, "distinct": 16},
        "methods": {name: dict.fromkeys(expression_report.METRICS, line) for name in methods},
        "ceiling": dict.fromkeys(expression_report.METRICS, line),
        "verdicts": [
            {"metric": metric, "n": 9, "units": 6, "model": 0.517, "baseline": 0.512, "difference": 0.005,
             "best_baseline": "expression_shifts", "low": -0.087, "high": 0.112, "verdict": "ties",
             "gap_closed": 0.01}
            | ({"units": 3, "verdict": "undecided"} if metric == "l2" else {})
            for metric in expression_report.METRICS
        ],
        "interval": "95 % bootstrap over 9 test perturbations, 2000 resamples, expanded percentiles",
        "retrieval": {"mrr": 0.69, "mrr_chance": 0.61, "median_rank": 1.0, "median_rank_chance": 3.5},
        "readout": {"alpha": 0.01, "cells": 3364, "values": 512, "tokens": "all"},
    }  # fmt: skip


def _rank(faults: tuple[str, ...]) -> dict:
    value = 1.4 if "collapse" in faults else 33.3

    def summary(n: int) -> dict:
        ranks = {
            "effective_rank": value,
            "participation_ratio": value / 2,
            "stable_rank": value / 4,
            "alpha_req": {"alpha": 1.2, "r2": 0.97, "ranks": [10, 60]},
            "numerical_rank": 64,
            "condition_number": 812.0,
        }
        raw = {**ranks, "rankme": value / 3}
        spread = {
            "mean_norm": 8.1, "std_norm": 0.4, "mean_std": 0.92, "min_std": 0.11, "variance_term": 0.12,
            "covariance_term": 0.4, "mean_abs_correlation": 0.11, "max_abs_correlation": 0.83,
            "high_correlation_share": 0.002,
        }  # fmt: skip
        return {"n": n, "dim": 64, "trust": "ok", "spread": spread, "centred": ranks, "raw": raw}

    pooled = {
        **summary(1168),
        "self_cluster": 0.07,
        "uniformity": -2.9,
        "sigreg_ratio": 3.2,
        "log_mean_exp_similarity": 0.12,
    }
    return {
        "pooled": pooled,
        "tokens": summary(8192),
        "position_centred_tokens": summary(8192),
        "alignment": 0.22,
        "lidar": {"lidar": 21.5, "n": 500, "q": 10, "dim": 64, "max": 64},
        "chance": {"n": 1168, "dim": 64, "effective_rank": 63.4, "participation_ratio": 60.7, "uniformity": -3.8},
    }  # fmt: skip


def _probe(folder: Path, accuracy: float, rng: np.random.Generator, n: int, draws: int) -> None:
    labels = np.arange(n) % CLASSES
    columns = {"index": np.arange(n), "label": labels, "group": np.arange(n)}

    def predicted(share: float) -> np.ndarray:
        wrong = (labels + 1 + rng.integers(0, CLASSES - 1, n)) % CLASSES
        return np.where(rng.random(n) < share, labels, wrong)

    def score(hits: np.ndarray) -> dict:
        value, half = float(hits.mean()), 1.96 * float(hits.std()) / np.sqrt(n)
        return {"accuracy": value, "accuracy_interval": [value - half, value + half]}

    result = {
        "labels": CLASSES,
        "n": {"train": 1170, "val": 180, "test": n},
        "interval": f"95 % percentile bootstrap over {n} test samples, 2000 resamples",
        "groups": {"test": n, "named": False},
        "pooling": {"chosen": "mean", "val_accuracy": {"mean": accuracy}},
    }
    for name, worse in (("logistic", 0.0), ("ridge", 0.02), ("knn", 0.01)):
        columns[name] = predicted(accuracy - worse)
        more = {"balanced_accuracy": accuracy, "macro_f1": accuracy, "log_loss": 0.2, "ece": 0.01}
        result[name] = {**score(columns[name] == labels), **more}
    result["majority"] = {**score(labels == 0), "class": 0}
    result["few_label"] = {}
    for k, worse in ((1, 0.35), (5, 0.15), (10, 0.08)):
        drawn = [predicted(max(0.1, accuracy - worse)) for _ in range(draws)]
        columns |= {f"few{k}_{i}": column for i, column in enumerate(drawn)}
        hits = np.mean([column == labels for column in drawn], axis=0)
        result["few_label"][str(k)] = {**score(hits), "draws": draws, "std_over_draws": 0.01}
    result["of_targets"] = {
        "kind of thing": {
            "kind": "classes", "nuisance": False, "n": result["n"], "of_new_classes": 3,
            "interval": result["interval"],
            **{name: result[name] for name in ("logistic", "knn", "majority", "few_label")},
            "best_constant": result["majority"]["accuracy"],
        },
        "<b>age": {"kind": "numbers", "nuisance": False, "r2": accuracy - 0.5,
                   "r2_interval": [accuracy - 0.6, accuracy - 0.4], "n": result["n"]},
        "donor": {"kind": "classes", "nuisance": True, "reason": "no class of test has a training sample"},
    }  # fmt: skip
    _write(folder / "probe.json", json.dumps(result))
    rows = np.column_stack(list(columns.values())).tolist()
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    _write(folder / "predictions.csv", "\n".join(lines) + "\n")
    per_class = [f"{c},{n // CLASSES},{accuracy:.4f},{accuracy - c / 100:.4f}" for c in range(CLASSES)]
    _write(folder / "classes.csv", "\n".join(["class,n,precision,recall", *per_class]) + "\n")


@cache
def figure(kind: str) -> str:
    """An SVG of the size that the steps' own figures have."""
    import io

    from jepa_steps.figures.style import new

    rng = np.random.default_rng(0)
    drawn: Figure
    drawn, (axes,) = new(4.2, 3.0)
    if "components" in kind or "neighbours" in kind:
        for _ in range(10):
            axes.scatter(*rng.normal(size=(2, 45)), s=9)
    elif "confusion" in kind or "correlation" in kind:
        axes.imshow(rng.random((64, 64)), cmap="Blues")
    else:
        for _ in range(3):
            axes.plot(np.cumsum(rng.normal(size=200)))
    axes.set(xlabel=kind.rsplit("/", 1)[1].removesuffix(".svg"))
    buffer = io.StringIO()
    drawn.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


RAW, UNTRAINED = {"encoder": "raw"}, {"encoder": "untrained", "model": MODEL}
JEPA = {"encoder": "jepa", "seed": 0, "steps": 600, "model": MODEL}
NO_SPREAD = {"kind": "vicreg", "level": "pooled", "variance": 0.0, "covariance": 0.0}


def three_experiments(folder: Path) -> tuple[Path, Path, list[str]]:
    """A healthy, a collapsed and an under-trained experiment and two floors: (results, data, names)."""
    results, data = folder / "results", write_data(folder / "data" / "digits")
    collapsed, short = {**JEPA, "objective": NO_SPREAD}, {**JEPA, "steps": 30}
    write_experiment(results, "digits-healthy", JEPA, 0.985, predicts=True)
    write_experiment(results, "digits-collapsed", collapsed, 0.32, ("collapse", "under-trained"))
    write_experiment(results, "digits-short", short, 0.93, ("under-trained",))
    write_experiment(results, "digits-raw", RAW, 0.93)
    write_experiment(results, "digits-untrained", UNTRAINED, 0.91)
    names = ["digits-healthy", "digits-collapsed", "digits-short", "digits-raw", "digits-untrained"]
    return results, data, names
