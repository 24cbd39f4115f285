"""The blocks of one experiment as facts (name, value) and tables, ready to be laid out."""

import json
import shlex
from collections import Counter
from typing import Any

from ..config.training import parse_dataset
from ..modalities import part
from ..modalities.contract import Described, Evaluated
from .differences import as_yaml, changes
from .grouping import Row, dig, listed, one_token
from .numbers import date, duration, hours, number, percent, scaled, size

Facts = list[tuple[str, str]]


def settings(e: dict[str, Any]) -> str:
    """What differs from the defaults, as YAML."""
    return as_yaml({"train": changes(e["settings"])}, compact=True)


def data(e: dict[str, Any]) -> Described | None:
    """What an experiment was trained and judged on, as its kind of data tells it (see
    ``modalities.contract.Described``); None without a manifest."""
    if e["manifest"] is None:
        return None
    return part(e["modality"], "report").describe(e["manifest"], e["data_folder"])


def leaks(row: Row) -> list[str]:
    """What of the data a row was judged on is in training, too, where the settings allow that."""
    return (data(row.members[0]) or {"leaks": []})["leaks"] if "manifest" in row.members[0] else []


def evaluation(e: dict[str, Any]) -> Evaluated | None:
    """What is predicted, beside its baselines; see ``modalities.contract.Evaluated``. None where
    nothing is."""
    found = e["evaluation"]
    return None if found["task"] is None else part(e["modality"], "report").evaluation(found)


def training(e: dict[str, Any]) -> Facts:
    """How long, how big, how fast."""
    t = e["training"]
    if not t.get("steps"):
        return [("parameters", scaled(dig(t, "parameters", "encoder")))]
    return [
        ("steps", f"{t['steps']:,} ({number(t['epochs'], '.0f')} epochs)"),
        ("encoder", f"{scaled(t['parameters']['encoder'])} parameters"),
        ("predictor", f"{scaled(t['parameters']['predictor'])} parameters"),
        ("final loss", number(e["monitor"]["final_loss"])),
        ("throughput", f"{number(dig(t, 'this_run', 'samples_per_second'), ',.0f')} samples/s"),
        ("precision", t["precision"]),
        ("skipped batches", number(t.get("skipped"), "d")),
    ]


def cost(e: dict[str, Any]) -> Facts:
    """What training took, over all its starts."""
    t, run = e["training"], e["training"].get("run") or {}
    facts = [
        ("wall time", duration(run.get("wall_seconds"))),
        ("CPU time", duration(run.get("cpu_seconds"))),
        ("GPU time", hours(run.get("gpu_hours"))),
        ("peak memory", size(run.get("peak_memory_bytes"))),
        ("restarts", number(run.get("restarts"), "d")),
    ]
    if not t.get("steps"):
        return facts
    this = t["this_run"]
    mfu = (
        f"{percent(this['mfu'], 0)} % of {scaled(this['peak_flops'], 'FLOP/s')} ({this['peak_source']})"
    )
    return [
        *facts,
        ("computed", scaled(t["flops_per_step"] * t["steps"], "FLOP")),
        ("utilisation (MFU)", mfu),
        ("processes", f"{t['ranks']} on {t['device']}"),
    ]


def embeddings(e: dict[str, Any]) -> Facts:
    """How pooled embeddings and tokens spread."""
    pooled, tokens = e["monitor"]["pooled"], e["monitor"]["tokens"]
    if one_token(e):
        tokens = None
    group = dig(e, "monitor", "nuisance", "group_share")
    what = dig(e, "monitor", "nuisance", "name") or "group"
    facts = [
        ("relative spread", dig(pooled, "relative_spread"), ".2f", "0 = all equal, 1 = mean is zero"),
        ("dead dimensions", dig(pooled, "dead_share"), ".0%", ""),
        ("correlation, mean", dig(pooled, "mean_abs_correlation"), ".2f", "between two dimensions"),
        ("correlations above .9", dig(pooled, "high_correlation_share"), ".1%", "of all pairs"),
        ("position share", dig(tokens, "position_share"), ".0%", "of the token variance"),
        ("sample share", dig(tokens, "sample_share"), ".0%", "of the token variance"),
        (f"{what} share", group, ".0%", "of the variance"),
    ]
    return [
        (name, number(value, form) + (f" ({note})" if note else ""))
        for name, value, form, note in facts
        if value is not None
    ]


PROBES = {
    "logistic": "logistic (linear)",
    "ridge": "ridge (linear)",
    "knn": "weighted kNN",
    "attentive": "attentive",
    "majority": "majority class",
    "covariates": "{} alone (logistic)",
}


def probes(e: dict[str, Any]) -> dict[str, Any]:
    """Every probe with its interval, few labels, the worst classes, what was chosen on val."""
    p = e["probe"]
    rows = [
        (label.format(listed(p[name].get("names", []))), p[name])
        for name, label in PROBES.items()
        if p.get(name)
    ]
    few = [(k, point) for k, point in (p.get("few_label") or {}).items()]
    names = dig(e, "manifest", "classes") or []
    classes = sorted(e["classes"], key=lambda row: float(row["recall"]))[:5]
    worst = [{**row, "name": _name(names, row["class"])} for row in classes]
    pooling = p.get("pooling") or {}
    return {
        "rows": rows,
        "few": few,
        "worst": worst,
        "pooling": pooling.get("chosen"),
        "parts": p.get("parts"),
        "covariates": list((p.get("of_covariates") or {}).items()),
        "log_targets": list((p.get("of_log_targets") or {}).items()),
        "reason": p.get("reason"),
        "more_classes": len(e["classes"]) - len(worst),
    }


def _name(names: list, number_: str) -> str:
    return str(names[int(number_)]) if number_.isdigit() and int(number_) < len(names) else number_


def provenance(e: dict[str, Any]) -> dict[str, Any]:
    """Commit, machine, dates and hashes of one experiment, and the commands that make it again."""
    t, machine = e["training"], e["training"].get("machine") or {}
    commit = t.get("commit") or {}
    return {
        "name": e["name"],
        "date": date(dig(t, "run", "finished")),
        "commit": commit.get("hash"),
        "dirty": commit.get("dirty"),
        "machine": _machine(machine),
        "data": e["data"],
        "encoder": e["embed"].get("encoder_sha256"),
        "versions": t.get("versions") or {},
        "command": "\n".join(commands(e)),
    }


def _machine(machine: dict[str, Any]) -> str:
    if not machine:
        return "–"
    gpus = [f"{n} × {name}" for name, n in Counter(machine["gpus"]).items()]
    parts = [
        f"{machine['cpu'] or 'unknown CPU'}, {machine['cores']} cores",
        size(machine["memory_bytes"]),
    ]
    return ", ".join([*parts, *(gpus or ["no GPU"]), machine["system"]])


def commands(e: dict[str, Any]) -> list[str]:
    """Shell lines that make the experiment's encoder again from the source of the data."""
    folder, name = e["data_folder"] or "DATA", e["name"]
    revision = dig(e, "training", "commit", "hash")
    lines = [f"git checkout {revision}"] if revision else []
    if e["manifest"]:
        modality = e["modality"]
        dataset = parse_dataset(e["manifest"]["settings"], f"{folder}/manifest.json", modality)
        lines.append(
            _command("prepare", modality, "--spec", json.dumps(changes(dataset)), "--out", folder)
        )
    spec = json.dumps(changes(e["settings"]))
    lines.append(_command("train", "--spec", spec, "--data", folder, "--out", f"results/train/{name}"))
    return lines


def _command(step: str, *arguments: str) -> str:
    return shlex.join(["python", "-m", f"jepa_steps.{step}", *arguments])
