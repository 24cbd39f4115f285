"""Settings of the masked predictor."""

from typing import Annotated, Literal

from pydantic import Field

from .base import AttentionSettings


class Predictor(AttentionSettings):
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
