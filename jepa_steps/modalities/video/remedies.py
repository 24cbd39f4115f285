"""What to change in a run on videos that went wrong."""

from ...metrics.remedies import Patch, Remedies, more_decay, more_spread, rounded
from .training import VideoJepa


def content_over_position(s: VideoJepa) -> Patch:
    """Make content pay: hide less, or compare whole views of two crops."""
    if s.objective.level == "pooled":
        return more_spread(s)
    if not s.objective.moving_target or s.task == "future":
        return two_crops(s)
    blocks, (low, high) = s.masks.short.blocks, s.masks.short.scale
    smaller = {"scale": [rounded(0.7 * low), rounded(0.7 * high)]}
    short = {"blocks": blocks - 1} if blocks > 1 else smaller
    return {"masks": {"short": short, "long": None}}


def two_crops(s: VideoJepa) -> Patch:
    """Compare the means of two crops of a clip behind a projector."""
    augment: Patch = {"target": "own"}
    if s.augment.crop_scale[0] > 0.5:
        augment["crop_scale"] = [0.5, 1.0]
    projector = s.objective.projector or 4 * s.model.dim
    objective: Patch = {"level": "pooled", "projector": projector}
    if s.objective.moving_target:
        objective["kind"] = "vicreg"
    return {"objective": objective, "augment": augment}


def more_regularisation(s: VideoJepa) -> Patch:
    """Against overfitting: weight decay and a wider range of crops."""
    low, high = s.augment.crop_scale
    return {
        **more_decay(s),
        "augment": {"crop_scale": [min(high, max(0.05, rounded(0.7 * low))), high]},
    }


def vary_appearance(s: VideoJepa) -> Patch:
    """Augment away what tells cameras apart: brightness and contrast."""
    wider = {name: max(0.4, getattr(s.augment, name)) for name in ("brightness", "contrast")}
    return {"augment": wider}


def predict_later_frames(s: VideoJepa) -> Patch:
    """What happens is told by what comes next: predict later frames from earlier ones."""
    return {"task": "future"} if s.task == "masked" and s.objective.level == "tokens" else {}


REMEDIES = Remedies(
    content_over_position, two_crops, more_regularisation, vary_appearance, predict_later_frames
)
