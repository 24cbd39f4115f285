"""Settings of the masked predictor."""

import math
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from .base import AttentionSettings


class Predictor(AttentionSettings):
    """Masked predictor. It is narrower than the encoder, so that the encoder does the work."""

    dim: Annotated[int, Field(ge=4, multiple_of=4)] | None = None
    """Width. It must be a multiple of 4 and of heads. null = half of the encoder's width, as in
    I-JEPA."""
    depth: Annotated[int, Field(ge=1)] | None = None
    """Transformer blocks. null = half as many as the encoder has."""
    heads: Annotated[int, Field(ge=1)] | None = None
    """Attention heads. null = as many as the encoder has."""
    context: Literal["per_block", "shared"] = "per_block"
    """How the context's tokens are used for several target blocks. per_block: they pass through the
    predictor once per target block (I-JEPA). shared: they pass once in all, without seeing mask tokens,
    and every target block attends to them. The more target blocks there are, the more time shared saves.
    The two are different functions: weights trained with one cannot be used with the other."""


P = TypeVar("P", bound=AttentionSettings)


def sized(predictor: P, model: AttentionSettings) -> P:
    """A predictor's settings with the sizes that were left to the encoder's: half its width, rounded up
    to what the heads divide, half its depth, its heads.

    Raises:
        ValueError: a given width that the heads do not divide.
    """
    heads = predictor.heads or model.heads
    unit = math.lcm(4, heads)
    dim = predictor.dim or math.ceil(model.dim / 2 / unit) * unit
    depth = math.ceil(model.depth / 2) if predictor.depth is None else predictor.depth
    if dim % heads:
        raise ValueError(
            f"predictor: dim {dim} is not a multiple of heads {heads}, which are the encoder's; set "
            "predictor.heads"
        )
    return predictor.model_copy(update={"dim": dim, "depth": depth, "heads": heads})
