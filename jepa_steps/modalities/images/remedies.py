"""What to change in a run on images that went wrong."""

from ...metrics.remedies import Patch, Remedies, more_decay, more_spread, rounded
from .settings import ImageJepa


def content_over_position(s: ImageJepa) -> Patch:
    """Make content pay: compare whole views of two crops, or hide less."""
    if s.objective.level == "pooled":
        return more_spread(s)
    if not s.objective.moving_target:
        return two_crops(s)
    blocks, (low, high) = s.masks.blocks, s.masks.scale
    smaller = {"scale": [rounded(0.7 * low), rounded(0.7 * high)]}
    return {"masks": {"blocks": blocks - 1} if blocks > 1 else smaller}


def two_crops(s: ImageJepa) -> Patch:
    """Compare the means of two crops of an image behind a projector."""
    augment: Patch = {"target": "own"}
    if s.augment.crop_scale[0] > 0.5:
        augment["crop_scale"] = [0.5, 1.0]
    projector = s.objective.projector or 4 * s.model.dim
    return {"objective": {"level": "pooled", "projector": projector}, "augment": augment}


def more_regularisation(s: ImageJepa) -> Patch:
    """Against overfitting: weight decay and a wider range of crops."""
    low, high = s.augment.crop_scale
    return {
        **more_decay(s),
        "augment": {"crop_scale": [min(high, max(0.05, rounded(0.7 * low))), high]},
    }


def vary_appearance(s: ImageJepa) -> Patch:
    """Augment away what tells groups apart: brightness and contrast."""
    wider = {name: max(0.4, getattr(s.augment, name)) for name in ("brightness", "contrast")}
    return {"augment": wider}


def two_views(s: ImageJepa) -> Patch:
    """Two crops for vicreg on tokens; for other objectives they did not help in a test."""
    fits = s.objective.kind == "vicreg" and s.objective.level == "tokens"
    return two_crops(s) if fits else {}


REMEDIES = Remedies(
    content_over_position,
    two_views,
    more_regularisation,
    vary_appearance,
    followed=frozenset(
        {"collapse", "rank-k collapse", "small batch", "under-trained", "worse than untrained"}
    ),
)
