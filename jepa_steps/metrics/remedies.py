"""Patches of a run's own settings: what to change, as a block to paste under the experiment.

Every function takes the settings of the run that went wrong and returns only what changes; merged
into those settings it is a valid configuration. Kinds of data may do without the blocks ``model`` and
``predictor``; then nothing is changed there.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

Patch = dict[str, Any]
Settings = Any  # of a training run, as ``config.JepaRun`` and its kinds have them
Remedy = Callable[[Settings], Patch]


def rounded(value: float) -> float:
    """Two significant digits: nobody pastes 0.00033333333333333335."""
    return float(f"{value:.2g}")


def merge(*patches: Patch) -> Patch:
    """All patches together, block by block."""
    result: Patch = {}
    for patch in patches:
        for key, value in patch.items():
            nested = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merge(result[key], value) if nested else value
    return result


def slower(s: Settings, factor: float = 3.0, most: float = math.inf) -> Patch:
    """The learning rate over ``factor``, at most ``most``, a longer warm-up, a tighter clip."""
    o = s.optimizer
    return {
        "optimizer": {
            "lr": rounded(min(most, o.lr / factor)),
            "warmup": min(1.0, max(0.1, 2 * o.warmup)),
            "clip_norm": rounded(o.clip_norm / 2),
        }
    }


def full_precision(s: Settings) -> Patch:
    """float32 instead of half precision."""
    return {} if s.precision == "fp32" else {"precision": "fp32"}


def more_samples(s: Settings, least: int = 128) -> Patch:
    """A batch large enough for statistics over it, still a multiple of its pieces."""
    if not s.objective.regularised or s.batch_size >= least:
        return {}
    return {"batch_size": s.batch_size * math.ceil(least / s.batch_size)}


def more_spread(s: Settings) -> Patch:
    """Against equal embeddings: a stronger variance term, or a calmer moving average."""
    o = s.objective
    if o.kind == "sigreg":
        change: Patch = {"objective": {"sigreg": min(1.0, 2 * o.sigreg or 0.05)}}
    elif o.kind == "ema_target":
        start, end = o.ema_momentum
        momentum = [min(round((1 + start) / 2, 6), end), end]
        lr = rounded(s.optimizer.lr / 3)
        return {"objective": {"ema_momentum": momentum}, "optimizer": {"lr": lr}}
    else:
        change = {"objective": {"variance": 2 * o.variance or 25.0}}
    if not o.projector and o.level == "pooled" and hasattr(s, "model"):
        change["objective"]["projector"] = 4 * s.model.dim
    return merge(change, more_samples(s))


def more_directions(s: Settings) -> Patch:
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


def fewer_dimensions(s: Settings, dead_share: float) -> Patch:
    """A width without the dead dimensions, or a stronger variance term where there is one."""
    if s.objective.kind != "ema_target":
        return more_spread(s)
    if not hasattr(s, "model"):
        return {}
    unit = math.lcm(4, s.model.heads)
    width = int(s.model.dim * (1 - dead_share)) // unit * unit
    return {"model": {"dim": max(unit, width)}}


def content_over_position(s: Settings) -> Patch:
    """Make content pay."""
    o = s.objective
    return more_directions(s) if o.moving_target and o.level == "tokens" else more_spread(s)


def longer(s: Settings, factor: float) -> Patch:
    """More steps; the schedules stretch with them."""
    return {"steps": math.ceil(s.steps * max(factor, 2.0))}


def more_decay(s: Settings) -> Patch:
    """Against overfitting: weight decay."""
    o = s.optimizer
    change: Patch = {"weight_decay": min(1.0, rounded(3 * o.weight_decay) or 0.05)}
    if o.kind == "adam":
        change["kind"] = "adamw"
    return {"optimizer": change}


def deeper_predictor(s: Settings) -> Patch:
    """A predictor with room to use a condition."""
    return (
        {"predictor": {"depth": max(2, 2 * (s.predictor.depth or 0))}} if hasattr(s, "predictor") else {}
    )


def nothing(s: Settings) -> Patch:
    """For kinds of data in which no setting helps."""
    return {}


@dataclass(frozen=True)
class Remedies:
    """What helps depends on the kind of data; these do for one that says nothing.

    content_over_position: against tokens that encode where they are. two_views: instead of tokens, where
    training did not help. equal_over_time: against tokens of a sample that are all alike; None where
    tokens do not lie in time. more_regularisation: against overfitting. vary_nuisance: against
    embeddings that encode the group. followed: verdicts whose change of settings, whatever its source,
    was made in a test on this kind of data, after which they were gone.
    """

    content_over_position: Remedy = content_over_position
    two_views: Remedy = nothing
    more_regularisation: Remedy = more_decay
    vary_nuisance: Remedy = nothing
    equal_over_time: Remedy | None = None
    followed: frozenset[str] = frozenset()


GENERAL = Remedies()


def given_by(module: ModuleType | None) -> Remedies:
    """Those of the ``remedies.py`` of a kind of data."""
    return GENERAL if module is None else module.REMEDIES
