"""Settings of what is hidden."""

from typing import Annotated

from pydantic import Field, model_validator

from .base import Range, Settings, Share, ordered


class Masks(Settings):
    """Multi-block masks (I-JEPA)."""

    blocks: Annotated[int, Field(ge=1, le=16)] = 4
    """Target blocks per sample."""
    scale: Range = (0.15, 0.2)
    """Share of the tokens that a target block covers, [low, high]."""
    aspect: Range = (0.75, 1.5)
    """Height/width of a target block, [low, high]."""
    context_scale: Range = (0.85, 1.0)
    """Share of the tokens that the context block covers, [low, high], before the target blocks are
    removed from it."""
    min_context: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """Smallest share of the tokens that should stay visible. A layout that leaves fewer is drawn
    again."""
    first_blocks: Annotated[int, Field(ge=1, le=16)] | None = None
    """Curriculum: number of target blocks at the first step; null = blocks."""
    first_scale: Range | None = None
    """Curriculum: scale at the first step; null = scale."""
    ramp: Share = 0.5
    """Curriculum: share of the steps after which the values of blocks and scale are reached."""

    @model_validator(mode="after")
    def _ranges(self) -> "Masks":
        ordered("scale", self.scale, 0.9)
        ordered("aspect", self.aspect)
        ordered("context_scale", self.context_scale, 1.0)
        return self
