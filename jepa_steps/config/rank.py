"""Settings of the step rank."""

from typing import Annotated

from pydantic import Field

from .base import Settings


class Rank(Settings):
    """How the ranks of the embedding matrix are measured."""

    samples: Annotated[int, Field(ge=16)] = 25_600
    """Largest number of training embeddings to use; the RankMe paper uses 25,600. Ranks of tokens use
    all stored tokens; other measures of tokens use at most this many."""
    pair_rows: Annotated[int, Field(ge=2)] = 8192
    """Up to this many rows, uniformity is computed over all pairs of rows (half a second). With more
    rows, it is computed over random pairs."""
    pairs: Annotated[int, Field(ge=1000)] = 200_000
    """Number of random pairs for uniformity. The report states the standard error."""
    directions: Annotated[int, Field(ge=1)] = 256
    """Number of random directions for the SIGReg ratio."""
