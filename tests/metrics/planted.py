"""Evidence of runs: healthy ones drawn at random, and every fault planted in one."""

from dataclasses import replace

import numpy as np
from support import parse_training

from jepa_steps.config import JepaRun
from jepa_steps.metrics import spectrum
from jepa_steps.metrics.embedding import row_statistics, token_statistics
from jepa_steps.metrics.evidence import Evidence
from jepa_steps.metrics.moments import moments, token_moments
from jepa_steps.metrics.nuisance import condition_statistics, nuisance_statistics
from jepa_steps.modalities import part

POOLED = {"level": "pooled", "projector": 64}
SETTINGS = {
    "ema": {},
    "ema l2 fast": {"objective": {"distance": "l2", "ema_momentum": [0.98, 1.0]}},
    "ema one block": {"masks": {"blocks": 1}, "optimizer": {"kind": "adam", "weight_decay": 0.0}},
    "both": {"objective": {"kind": "ema_target+vicreg"}, "model": {"dim": 36, "heads": 3}},
    "vicreg": {"objective": {"kind": "vicreg"}, "precision": "fp16"},
    "vicreg pooled": {"objective": {"kind": "vicreg", **POOLED}, "augment": {"target": "own"}},
    "vicreg off": {
        "objective": {"kind": "vicreg", "level": "pooled", "variance": 0.0, "covariance": 0.0}
    },
    "sigreg": {"objective": {"kind": "sigreg"}, "optimizer": {"lr": 1.0, "warmup": 0.8}},
    "sigreg pooled": {"objective": {"kind": "sigreg", **POOLED}, "augment": {"crop_scale": [0.3, 0.9]}},
}


CELLS = {
    "cells": {},
    "cells ema": {"objective": {"kind": "ema_target"}},
    "cells, hidden genes": {"task": "masked genes", "predictor": {"depth": 2}},
}


SERIES = {
    "series": {},
    "series masked": {"task": "masked"},
    "series future": {"task": "future", "objective": {"kind": "ema_target+vicreg"}},
}


def settings(name: str, **changes) -> JepaRun:
    if name == "video":
        model = {"patch_size": 4, "dim": 32, "heads": 1}
        return parse_training({"encoder": "video-jepa", "steps": 4000, "model": model, **changes}, name)
    if name in SERIES:
        change = {"encoder": "series-jepa", "steps": 4000, **SERIES[name], **changes}
        return parse_training(change, name)
    if name in CELLS:
        return parse_training({"encoder": "bio-jepa", "steps": 4000, **CELLS[name], **changes}, name)
    change = {**SETTINGS[name], **changes}
    model = {"patch_size": 2, "dim": 32, "heads": 1, **change.pop("model", {})}
    return parse_training({"encoder": "jepa", "steps": 4000, "model": model, **change}, name)


def of_tokens(tokens: np.ndarray) -> dict:
    """The parts of the evidence that tokens (S, N, D) give."""
    pooled = tokens.mean(1)
    m = moments(pooled)
    return {
        "pooled": row_statistics(pooled),
        "tokens": token_statistics(token_moments(tokens)),
        "ranks": spectrum.summary(m),
        "singular_values": spectrum.singular_values(m),
    }


def healthy_tokens(rng, n=None) -> np.ndarray:
    """Tokens (S, N, D): a power-law cloud of samples, positions, noise, and a common mean."""
    n, positions = n or int(rng.integers(60, 400)), int(rng.integers(4, 9))
    dim = int(rng.choice([8, 16, 32, 48, 64]))
    scale = np.arange(1, dim + 1) ** (-rng.uniform(0.2, 1.5) / 2)
    turn = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    sample = rng.normal(size=(n, 1, dim)) * scale
    noise = rng.normal(size=(n, positions, dim)) * scale * rng.uniform(0.1, 1.0)
    away = rng.normal(size=(1, positions, dim)) * scale
    spread = np.sqrt((scale**2).sum())
    # position explains up to 80 % of the variance
    away *= np.sqrt(rng.uniform(0, 4)) * spread / np.sqrt((away**2).sum(-1).mean())
    mean = rng.normal(size=dim)
    mean *= rng.uniform(0, 15) * spread / np.linalg.norm(mean)
    return ((sample + noise + away) @ turn + mean) * 10 ** rng.uniform(-3, 3)


def healthy_loss(rng, kind: str, rows: int) -> np.ndarray:
    t = np.linspace(0, 1, rows)
    start, floor = rng.uniform(0.5, 1.5), rng.uniform(0.02, 0.6)
    loss = floor + (1 - floor) * np.exp(-t / rng.uniform(0.01, 0.2))
    if "ema_target" in kind:  # the target moves away, then settles
        hump = rng.uniform(0, 0.5) * np.exp(-(((t - rng.uniform(0.1, 0.3)) / 0.15) ** 2))
        loss = loss * rng.uniform(0.3, 1) + hump
        loss[0] = max(loss[0], 0.3)
        return loss * np.exp(rng.normal(size=rows) * rng.uniform(0, 0.08))
    return start * loss * np.exp(rng.normal(size=rows) * rng.uniform(0, 0.08))


def healthy(seed: int, **changes) -> Evidence:
    """Everything that is measured of a sound run, drawn at random."""
    rng = np.random.default_rng(seed)
    s = settings(str(rng.choice(["ema", "ema l2 fast", "both", "vicreg pooled", "sigreg pooled"])))
    rows, steps = int(rng.integers(20, 100)), s.steps
    step = np.linspace(steps / rows, steps, rows).round()
    loss = healthy_loss(rng, s.objective.kind, rows)
    history = {
        "step": step,
        "epoch": step / rng.uniform(5, 500),
        "loss": loss,
        "update_to_weight": rng.uniform(1e-4, 8e-3, rows),
        "skipped": np.zeros(rows),
    }
    validations = int(rng.integers(1, 13))
    at = np.linspace(rows / validations, rows, validations).astype(int) - 1
    ratio = rng.uniform(0.8, 1.3) * np.linspace(1, rng.uniform(1, 1.2), validations)
    validation = {
        "step": step[at],
        "val_loss": loss[at] * ratio * np.exp(rng.normal(size=validations) * 0.05),
    }
    probe_n = int(rng.integers(100, 1000))
    first = rng.uniform(0.2, 0.85)
    last = first + rng.uniform(0.55, 0.95) * (1 - first)
    true = [first, first, (first + last) / 2, last, last, last]
    probes = rng.binomial(probe_n, true) / probe_n
    fractions = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
    tokens = healthy_tokens(rng)
    labels = rng.integers(0, 5, len(tokens))
    groups = rng.integers(0, int(rng.choice([2, 8, 20])), len(tokens))
    targets = rng.normal(size=(200, 8))
    conditions = rng.integers(0, 4, 200)
    effect = rng.normal(size=(4, 8)) * rng.uniform(0.5, 1.5)
    predictions = rng.normal(size=(20, 1, 8)) + effect * rng.uniform(0.5, 1.2)
    evidence = Evidence(
        **of_tokens(tokens),
        history={name: list(map(float, values)) for name, values in history.items()},
        validation={name: list(map(float, values)) for name, values in validation.items()},
        snapshots=[{"fraction": f, "probe": p} for f, p in zip(fractions, probes, strict=True)],
        probe_n=probe_n,
        nuisance=nuisance_statistics(tokens.mean(1), groups, labels),
        conditions=condition_statistics(predictions, targets + effect[conditions], conditions),
        settings=s,
    )
    return replace(evidence, **changes)


def _tokens(change) -> dict:
    rng = np.random.default_rng(3)
    tokens = rng.normal(size=(600, 1, 32)) + rng.normal(size=(1, 16, 32))
    return of_tokens(change(rng, tokens + rng.normal(size=(600, 16, 32))))


def _dead(rng, tokens):
    tokens[..., :12] = 0
    return tokens


def _alike(rng, tokens):
    """Equal over time, but for a code of the place and a little noise, while samples differ."""
    place = rng.normal(size=(1, 16, 32))
    return tokens.mean(1, keepdims=True) + place + 0.02 * tokens


def _low_rank(rng, tokens):
    return tokens[..., :10] @ rng.normal(size=(10, 32)) + 1e-6 * tokens


def _repeated(rng, tokens):
    return tokens[..., :4].mean(-1, keepdims=True) * rng.uniform(0.5, 2, 32) + 0.15 * tokens


def _history(loss, **columns) -> dict:
    step = [50.0 * (i + 1) for i in range(len(loss))]
    epoch = [s / 20 for s in step]
    return {"step": step, "epoch": epoch, "loss": list(map(float, loss)), **columns}


def _nuisance() -> dict:
    rng = np.random.default_rng(5)
    groups, labels = rng.integers(0, 6, 500), rng.integers(0, 4, 500)
    rows = 3 * rng.normal(size=(6, 16))[groups] + 0.5 * rng.normal(size=(4, 16))[labels]
    return nuisance_statistics(rows + rng.normal(size=(500, 16)), groups, labels)


def _ignored() -> dict:
    rng = np.random.default_rng(6)
    conditions = rng.integers(0, 3, 300)
    targets = rng.normal(size=(3, 8))[conditions] + rng.normal(size=(300, 8))
    predictions = rng.normal(size=(30, 1, 8)) + 1e-3 * rng.normal(size=(30, 3, 8))
    return condition_statistics(predictions, targets, conditions)


def _probes(*values) -> dict:
    fractions = np.linspace(0, 1, len(values))
    rows = [{"fraction": float(f), "probe": v} for f, v in zip(fractions, values, strict=True)]
    return {"snapshots": rows, "probe_n": 300}


FALLING = np.geomspace(1, 0.1, 30).tolist() + [0.1] * 30
PLANTED = {
    "initial weights": lambda: {"weights": {"tensors": 53, "as_initial": 52}},
    "collapse": lambda: _tokens(lambda rng, t: 5 + 0.001 * t),
    "positional collapse": lambda: _tokens(lambda rng, t: rng.normal(size=(1, 16, 32)) + 0.01 * t),
    "rank-k collapse": lambda: _tokens(_low_rank),
    "dimensional collapse": lambda: _tokens(lambda rng, t: t[..., :1] * rng.normal(size=32) + 1e-3 * t),
    "high correlation": lambda: _tokens(_repeated),
    "dead dimensions": lambda: _tokens(_dead),
    "NaN loss": lambda: {"history": _history(FALLING, skipped=[0.0] * 30 + [97.0] * 30)},
    "divergence": lambda: {"history": _history([*FALLING, 0.5, 2.0, 5.0, 8.0])},
    "no learning": lambda: {
        "history": _history(1 + 0.003 * np.random.default_rng(0).normal(size=60)),
        "snapshots": [],
    },
    "worse than untrained": lambda: {
        "history": _history(FALLING),
        "snapshots": [{"fraction": f, "probe": p} for f, p in ((0.0, 0.9), (0.5, 0.8), (1.0, 0.7))],
        "probe_n": 400,
    },
    "overfitting": lambda: {
        "history": _history(FALLING),
        "validation": {
            "step": [500.0 * k for k in range(1, 7)],
            "val_loss": [0.5, 0.22, 0.15, 0.2, 0.3, 0.35],
        },
    },
    "under-trained": lambda: {
        "history": {"step": [10.0, 12.0], "epoch": [0.5, 0.6], "loss": [0.8, 0.6]},
    },
    "small batch": lambda: {"settings": settings("vicreg pooled", batch_size=2)},
    "nuisance-dominated embeddings": lambda: {"nuisance": _nuisance()},
    "condition ignored": lambda: {"conditions": _ignored()},
    "temporal collapse": lambda: {**_tokens(_alike), "settings": settings("series masked")},
    "persistence": lambda: {
        "persistence": {"n": 256, "predicted": 0.62, "repeated": 0.6},
        "settings": settings("series future"),
    },
    "no motion": lambda: {
        "motion": {
            "n": 500,
            "clip": 0.31,
            "frame": 0.30,
            "difference": 0.01,
            "low": -0.02,
            "high": 0.04,
            "verdict": "ties",
        },
        "settings": settings("video"),
    },
}


def planted(name: str, **changes) -> Evidence:
    evidence = replace(healthy(0), **{**PLANTED[name](), **changes})
    if evidence.settings is None:
        return evidence
    prefix = evidence.settings.encoder.split("-")[0]
    modality = {"bio": "expression", "series": "series", "video": "video"}.get(prefix, "images")
    return replace(evidence, remedies=part(modality, "remedies").REMEDIES)
