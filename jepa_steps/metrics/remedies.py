"""Patches of a run's own settings: what to change, as a block to paste under the experiment.

Every function takes the settings of the run that went wrong and returns only what changes; merged
into those settings it is a valid configuration.
"""

import math
from collections.abc import Callable
from typing import Any

from ..config import ExpressionJepa, JepaRun

Patch = dict[str, Any]
Remedy = Callable[[JepaRun], Patch]


def _round(value: float) -> float:
    return float(f"{value:.2g}")


def merge(*patches: Patch) -> Patch:
    """All patches together, block by block."""
    result: Patch = {}
    for patch in patches:
        for key, value in patch.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merge(result[key], value) if both else value
    return result


def slower(s: JepaRun, factor: float = 3.0) -> Patch:
    """The learning rate over ``factor``, a longer warm-up, a tighter clip."""
    o = s.optimizer
    return {
        "optimizer": {
            "lr": _round(o.lr / factor),
            "warmup": min(1.0, max(0.1, 2 * o.warmup)),
            "clip_norm": _round(o.clip_norm / 2),
        }
    }


def faster(s: JepaRun) -> Patch:
    """Three times the learning rate."""
    return {"optimizer": {"lr": _round(min(1.0, 3 * s.optimizer.lr))}}


def full_precision(s: JepaRun) -> Patch:
    """float32 instead of half precision."""
    return {} if s.precision == "fp32" else {"precision": "fp32"}


def more_samples(s: JepaRun, least: int = 128) -> Patch:
    """A batch large enough for statistics over it, still a multiple of its pieces."""
    if not s.objective.regularised or s.batch_size >= least:
        return {}
    return {"batch_size": s.batch_size * math.ceil(least / s.batch_size)}


def more_spread(s: JepaRun) -> Patch:
    """Against equal embeddings: a stronger variance term, or a calmer moving average."""
    o = s.objective
    if o.kind == "sigreg":
        change: Patch = {"objective": {"sigreg": min(1.0, 2 * o.sigreg or 0.05)}}
    elif o.kind == "ema_target":
        start, end = o.ema_momentum
        momentum = [min(round((1 + start) / 2, 6), end), end]
        lr = _round(s.optimizer.lr / 3)
        return {"objective": {"ema_momentum": momentum}, "optimizer": {"lr": lr}}
    else:
        change = {"objective": {"variance": 2 * o.variance or 25.0}}
    if not o.projector and o.level == "pooled":
        change["objective"]["projector"] = 4 * s.model.dim
    return merge(change, more_samples(s))


def more_directions(s: JepaRun) -> Patch:
    """Against few directions: a stronger covariance term, or a faster moving average."""
    o = s.objective
    if o.kind == "sigreg":
        return merge({"objective": {"sigreg": min(1.0, 2 * o.sigreg or 0.05)}}, more_samples(s))
    if o.kind == "ema_target":
        start, end = o.ema_momentum
        if start > 0.98:
            return {"objective": {"ema_momentum": [0.98, end]}}
        # The prediction error of ema_target is near 1, not near 25 as in VICReg's own weights.
        return {"objective": {"kind": "ema_target+vicreg", "variance": 1.0, "covariance": 0.04}}
    change: Patch = {"covariance": 2 * o.covariance or 1.0}
    if not o.variance:
        change["variance"] = 25.0
    return merge({"objective": change}, more_samples(s))


def fewer_dimensions(s: JepaRun, dead_share: float) -> Patch:
    """A width without the dead dimensions, or a stronger variance term where there is one."""
    if s.objective.kind != "ema_target":
        return more_spread(s)
    unit = math.lcm(4, s.model.heads)
    width = int(s.model.dim * (1 - dead_share)) // unit * unit
    return {"model": {"dim": max(unit, width)}}


def content_over_position(s: JepaRun) -> Patch:
    """Make content pay: compare whole views of two crops, or hide less."""
    o = s.objective
    if o.level == "pooled":
        return more_spread(s)
    if "ema_target" in o.kind:
        if isinstance(s, ExpressionJepa):
            return (
                more_directions(s) if s.task == "perturbation" else {"hidden_share": s.hidden_share / 2}
            )
        blocks, (low, high) = s.masks.blocks, s.masks.scale
        smaller = {"scale": [_round(0.7 * low), _round(0.7 * high)]}
        return {"masks": {"blocks": blocks - 1} if blocks > 1 else smaller}
    return two_crops(s)


def two_crops(s: JepaRun) -> Patch:
    """Compare the means of two crops of an image behind a projector (vicreg and sigreg)."""
    if isinstance(s, ExpressionJepa):
        return more_spread(s)
    augment: Patch = {"target": "own"}
    if s.augment.crop_scale[0] > 0.5:
        augment["crop_scale"] = [0.5, 1.0]
    projector = s.objective.projector or 4 * s.model.dim
    return {"objective": {"level": "pooled", "projector": projector}, "augment": augment}


def another_task(s: JepaRun) -> Patch:
    """For embeddings that training made worse."""
    if s.objective.kind in ("vicreg", "sigreg") and s.objective.level == "tokens":
        return two_crops(s)
    return {"steps": 2 * s.steps}


def longer(s: JepaRun, factor: float) -> Patch:
    """More steps; the schedules stretch with them."""
    return {"steps": math.ceil(s.steps * max(factor, 2.0))}


def more_regularisation(s: JepaRun) -> Patch:
    """Against overfitting: weight decay and, of images, a wider range of crops."""
    o = s.optimizer
    change: Patch = {"weight_decay": min(1.0, _round(3 * o.weight_decay) or 0.05)}
    if o.kind == "adam":
        change["kind"] = "adamw"
    if isinstance(s, ExpressionJepa):
        return {"optimizer": change}
    low, high = s.augment.crop_scale
    return {
        "optimizer": change,
        "augment": {"crop_scale": [min(high, max(0.05, _round(0.7 * low))), high]},
    }


def vary_appearance(s: JepaRun) -> Patch:
    """Augment away what tells batches apart: brightness and contrast; cells have none to vary."""
    if isinstance(s, ExpressionJepa):
        return {}
    wider = {name: max(0.4, getattr(s.augment, name)) for name in ("brightness", "contrast")}
    return {"augment": wider}


def deeper_predictor(s: JepaRun) -> Patch:
    """A predictor with room to use a condition."""
    return {"predictor": {"depth": max(2, 2 * s.predictor.depth)}}
