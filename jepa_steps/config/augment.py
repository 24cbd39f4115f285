"""Settings of how pixels are varied in training."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Range, Settings, Share, ordered
from .objective import Objective


class Augment(Settings):
    """Random resized crop and flip; the default is none."""

    crop_scale: Range = (1.0, 1.0)
    """Share of the image area that a crop keeps, [low, high]; 0.3 to 1 in I-JEPA on ImageNet."""
    crop_aspect: Range = (1.0, 1.0)
    """Width/height of the crop, [low, high]."""
    flip: Share = 0.0
    """Probability of a horizontal flip. Set 0 where left and right matter, as in digits."""
    brightness: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Colour jitter: multiplies pixel values by a factor from [1 - x, 1 + x]."""
    contrast: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Colour jitter: multiplies distances from the image's mean by a factor from [1 - x, 1 + x]."""
    saturation: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Colour jitter: multiplies distances from grey by a factor from [1 - x, 1 + x]."""
    target: Literal["same", "own"] = "same"
    """same: context and target come from one augmented image (I-JEPA). own: the target gets an
    augmentation of its own, drawn from the same ranges; only for objective.level pooled."""

    @model_validator(mode="after")
    def _ranges(self) -> "Augment":
        ordered("crop_scale", self.crop_scale, 1.0)
        ordered("crop_aspect", self.crop_aspect)
        return self


class ImageAugment(Augment):
    """How images are varied. Colour jitter (brightness, contrast, saturation) is for 8-bit pictures; the
    rest is for images of any channels."""

    flip_vertical: Share = 0.0
    """Probability of a vertical flip. Set it where up and down do not matter, as in a microscope."""
    quarter_turns: Share = 0.0
    """Probability of a turn by 90, 180 or 270 degrees, each as likely. Needs square images."""
    gain: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Multiplies the values of each channel by a factor of its own from [1 - x, 1 + x]."""
    noise: Annotated[float, Field(ge=0)] = 0.0
    """Adds normal noise to each value; its standard deviation in units of the channel's."""


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
