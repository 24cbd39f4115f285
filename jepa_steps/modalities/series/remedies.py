"""What to change in a run on time series that went wrong."""

from ...metrics.remedies import Patch, Remedies, more_decay, more_spread, rounded
from .training import SeriesJepa


def content_over_position(s: SeriesJepa) -> Patch:
    """Make content pay: hide less, or compare whole views."""
    if s.objective.level == "pooled":
        return more_spread(s)
    if not s.objective.moving_target:
        return two_views(s)
    low, high = s.masks.scale
    smaller = {"scale": [rounded(0.7 * low), rounded(0.7 * high)]}
    return {"masks": {"blocks": s.masks.blocks - 1} if s.masks.blocks > 1 else smaller}


def two_views(s: SeriesJepa) -> Patch:
    """Compare the means of two variations of a sample behind a projector."""
    if s.task == "views":
        return {}
    return {
        "task": "views",
        "objective": {"kind": "vicreg", "level": "pooled", "projector": 4 * s.model.dim},
    }


def more_regularisation(s: SeriesJepa) -> Patch:
    """Against overfitting: weight decay and a wider range of stretches."""
    low, high = s.augment.crop_scale
    wider = {"augment": {"crop_scale": [min(high, max(0.1, rounded(0.7 * low))), high]}}
    return {**more_decay(s), **(wider if s.task == "views" else {})}


def vary_offset_and_scale(s: SeriesJepa) -> Patch:
    """Augment away what sites differ in: the scale of channels."""
    return {"augment": {"scaling": max(0.3, s.augment.scaling)}} if s.task == "views" else {}


def equal_over_time(s: SeriesJepa) -> Patch:
    """Predict hidden blocks of time; where that is done already, larger ones."""
    if s.task == "views":
        return {
            "task": "masked",
            "objective": {"kind": "ema_target", "level": "tokens", "pooling": "mean", "projector": None},
        }
    low, high = s.masks.scale
    larger = [rounded(min(0.6, 1.5 * low)), rounded(min(0.9, 1.5 * high))]
    return {"masks": {"scale": larger}}


REMEDIES = Remedies(
    content_over_position, two_views, more_regularisation, vary_offset_and_scale, equal_over_time
)
