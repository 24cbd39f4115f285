"""Settings of how pixels are varied in training."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Range, Settings, Share, ordered
from .objective import Objective


class Augment(Settings):
    """Random resized crop and flip; the default is none."""

    crop_scale: Range = (1.0, 1.0)
    """Share of the image area that a crop keeps, [low, high]. I-JEPA uses 0.3 to 1 on ImageNet."""
    crop_aspect: Range = (1.0, 1.0)
    """Width/height of the crop, [low, high]."""
    flip: Share = 0.0
    """Probability of a horizontal flip. Leave it at 0 where left and right matter, as in digits."""
    brightness: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Colour jitter: multiplies pixel values by a random factor from [1 - x, 1 + x], x being this
    setting."""
    contrast: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Colour jitter: multiplies distances from the image's mean by a random factor from [1 - x, 1 +
    x]."""
    saturation: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Colour jitter: multiplies distances from grey by a random factor from [1 - x, 1 + x]."""
    target: Literal["same", "own"] = "same"
    """Which augmentation the target gets. same: context and target come from the same augmented image
    (I-JEPA). own: the target gets its own augmentation, drawn from the same ranges; only for
    objective.level pooled."""

    @model_validator(mode="after")
    def _ranges(self) -> "Augment":
        ordered("crop_scale", self.crop_scale, 1.0)
        ordered("crop_aspect", self.crop_aspect)
        return self


class ImageAugment(Augment):
    """How images are varied. Colour jitter (brightness, contrast, saturation) is for 8-bit pictures. The
    other settings are for images with any channels."""

    flip_vertical: Share = 0.0
    """Probability of a vertical flip. Use it where up and down do not matter, as in microscopy."""
    quarter_turns: Share = 0.0
    """Probability of a turn by 90, 180 or 270 degrees, each equally likely. Needs square images."""
    gain: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Multiplies the values of each channel by a random factor from [1 - x, 1 + x], x being this
    setting. Each channel has its own factor."""
    noise: Annotated[float, Field(ge=0)] = 0.0
    """Adds normal noise to each value. This is its standard deviation, in standard deviations of the
    channel."""


def fits_objective(augment: Augment, objective: Objective) -> None:
    """Raise ValueError where an objective does not fit masks over pixels, or this augmentation."""
    if objective.pooling != "mean":
        raise ValueError(
            f"objective.pooling: found {objective.pooling}, expected mean: the context never sees all "
            "tokens"
        )
    if augment.target == "own" and objective.level == "tokens":
        raise ValueError(
            "augment.target: found own with objective.level tokens, expected same (hidden tokens are "
            "parts of what the context sees) or objective.level pooled"
        )
