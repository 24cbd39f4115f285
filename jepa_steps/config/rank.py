"""Settings of the step rank."""

from typing import Annotated

from pydantic import Field

from .base import Settings


class Rank(Settings):
    """How the ranks of the embedding matrix are measured."""

    samples: Annotated[int, Field(ge=16)] = 25_600
    """Largest number of training embeddings to use; the RankMe paper uses 25,600. For tokens, ranks use
    all stored tokens, and the other measures use at most this many."""
    pair_rows: Annotated[int, Field(ge=2)] = 8192
    """Uniformity is computed over all pairs for up to this many rows (half a second). For more rows it
    is computed over random pairs."""
    pairs: Annotated[int, Field(ge=1000)] = 200_000
    """Random pairs for uniformity. The report states the standard error."""
    directions: Annotated[int, Field(ge=1)] = 256
    """Random directions for the SIGReg ratio."""
