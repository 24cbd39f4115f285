"""Settings of the step evaluate, as every kind of data that predicts something has them."""

from typing import Annotated

from pydantic import Field

from .base import Settings


class Evaluate(Settings):
    """How predictions are judged. A kind of data that is predicted adds its own settings."""

    bootstrap: Annotated[int, Field(ge=100)] = 2000
    """Number of bootstrap resamples of the test units behind each 95 % interval."""
    seed: int = 0
    """Seed of the samples that are drawn and of the resamples."""
    threads: Annotated[int, Field(ge=1)] = 1
    """CPU threads. This is a setting because the last bits of a sum depend on their number."""
