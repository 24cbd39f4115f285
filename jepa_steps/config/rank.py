"""Settings of the step rank."""

from typing import Annotated

from pydantic import Field

from .base import Settings


class Rank(Settings):
    """Rank analysis of the embedding matrix."""

    samples: Annotated[int, Field(ge=16)] = 25_600
    """Training embeddings used, at most; 25,600 in the RankMe paper. Of tokens all go into the ranks,
    as many as this into the other measures."""
    pair_rows: Annotated[int, Field(ge=2)] = 8192
    """Uniformity is over all pairs up to this many rows (half a second), above over random pairs."""
    pairs: Annotated[int, Field(ge=1000)] = 200_000
    """Random pairs; their standard error is reported."""
    directions: Annotated[int, Field(ge=1)] = 256
    """Random directions of the SIGReg ratio."""
