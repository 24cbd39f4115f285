"""Settings of encoders: trained ones and floors."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Range, Settings, Share, ordered
from .expression_model import ExpressionJepa, UntrainedCells
from .run import JepaRun


class Model(Settings):
    """Vision transformer."""

    patch_size: Annotated[int, Field(ge=1)]
    """Side of a patch, pixels; image_size must be a multiple of it."""
    dim: Annotated[int, Field(ge=4, multiple_of=4)] = 384
    """Embedding width D; a multiple of 4 (position codes) and of heads."""
    depth: Annotated[int, Field(ge=1)] = 12
    """Encoder blocks."""
    heads: Annotated[int, Field(ge=1)] = 6
    """Attention heads; width/heads of 32 to 64 is fastest."""
    mlp_ratio: Annotated[float, Field(gt=0)] = 4.0
    """Hidden width of a block's MLP over dim."""

    @model_validator(mode="after")
    def _heads_divide(self) -> "Model":
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not a multiple of heads {self.heads}")
        return self


class Predictor(Settings):
    """Masked predictor; narrower than the encoder so that the encoder does the work."""

    dim: Annotated[int, Field(ge=4, multiple_of=4)] = 192
    """Width; a multiple of 4 and of heads."""
    depth: Annotated[int, Field(ge=1)] = 6
    """Blocks; about half of the encoder's depth."""
    heads: Annotated[int, Field(ge=1)] = 6
    """Attention heads."""
    context: Literal["per_block", "shared"] = "per_block"
    """per_block: context tokens are encoded anew with each target block (I-JEPA). shared: once, without
    seeing mask tokens, and every block attends to them; cheaper the more blocks there are."""

    @model_validator(mode="after")
    def _heads_divide(self) -> "Predictor":
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not a multiple of heads {self.heads}")
        return self


class Masks(Settings):
    """Multi-block masks (I-JEPA)."""

    blocks: Annotated[int, Field(ge=1, le=16)] = 4
    """Target blocks an image."""
    scale: Range = (0.15, 0.2)
    """Share of the tokens a target block covers, [low, high]."""
    aspect: Range = (0.75, 1.5)
    """Height/width of a target block, [low, high]."""
    context_scale: Range = (0.85, 1.0)
    """Share of the tokens of the context block, before targets are taken out of it."""
    min_context: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """Layouts that leave a smaller share of the tokens visible are redrawn."""
    first_blocks: Annotated[int, Field(ge=1, le=16)] | None = None
    """Curriculum: target blocks at the first step; null = blocks."""
    first_scale: Range | None = None
    """Curriculum: scale at the first step; null = scale."""
    ramp: Share = 0.5
    """Curriculum: share of the steps after which blocks and scale are reached."""

    @model_validator(mode="after")
    def _ranges(self) -> "Masks":
        ordered("scale", self.scale, 0.9)
        ordered("aspect", self.aspect)
        ordered("context_scale", self.context_scale, 1.0)
        return self


class Augment(Settings):
    """Random resized crop and flip; the default is none."""

    crop_scale: Range = (1.0, 1.0)
    """Share of the image area that is kept, [low, high]; 0.3 to 1 in I-JEPA on ImageNet."""
    crop_aspect: Range = (1.0, 1.0)
    """Width/height of the crop, [low, high]."""
    flip: Share = 0.0
    """Probability of a horizontal flip; 0 where left and right matter, as in digits."""
    brightness: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Colour jitter: pixel values are multiplied by a factor from [1 - x, 1 + x]."""
    contrast: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Colour jitter: distances from the image's mean are multiplied by a factor from [1 - x, 1 + x]."""
    saturation: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Colour jitter: distances from grey are multiplied by a factor from [1 - x, 1 + x]."""
    target: Literal["same", "own"] = "same"
    """same: context and target are parts of one augmented image (I-JEPA). own: the target is an
    augmentation of its own, with the same ranges; for objective.level pooled."""

    @model_validator(mode="after")
    def _ranges(self) -> "Augment":
        ordered("crop_scale", self.crop_scale, 1.0)
        ordered("crop_aspect", self.crop_aspect)
        return self


class JepaTraining(JepaRun):
    """A JEPA of images."""

    encoder: Literal["jepa"]
    """jepa: trained by prediction in embedding space, on images."""
    model: Model
    """The encoder."""
    predictor: Predictor = Predictor()
    """The predictor."""
    masks: Masks = Masks()
    """What is hidden."""
    augment: Augment = Augment()
    """How images are varied."""

    @model_validator(mode="after")
    def _own_target_has_no_positions(self) -> "JepaTraining":
        if self.augment.target == "own" and self.objective.level == "tokens":
            raise ValueError(
                "augment.target: found own with objective.level tokens, expected same (hidden tokens "
                "are parts of the context's image) or objective.level pooled"
            )
        return self


class UntrainedEncoder(Settings):
    """Floor: the same architecture with its initial weights."""

    encoder: Literal["untrained"]
    """untrained: random initial weights."""
    seed: int = 0
    """Seed of the weights."""
    model: Model
    """The encoder."""


class PcaEncoder(Settings):
    """Floor: principal components of the input, fitted on the training part."""

    encoder: Literal["pca"]
    """pca: a linear code of pixels or genes."""
    dim: Annotated[int, Field(ge=1)]
    """Components kept; choose the trained encoder's dim for a fair comparison."""


class RawEncoder(Settings):
    """Floor: the normalised pixels or genes themselves."""

    encoder: Literal["raw"]
    """raw: no encoder."""


Training = Annotated[
    JepaTraining | ExpressionJepa | UntrainedEncoder | UntrainedCells | PcaEncoder | RawEncoder,
    Field(discriminator="encoder"),
]


def kind(train: Training) -> Literal["jepa", "untrained", "pca", "raw"]:
    """What kind of encoder it is, whatever it takes."""
    return train.encoder.removeprefix("bio-")
