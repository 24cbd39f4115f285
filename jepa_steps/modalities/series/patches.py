"""How a sample is cut into tokens.

Shapes: N time tokens, C channels.
"""

import math

from .training import SeriesModel

MOST_TOKENS = 12  # of a sample, where patch_length is not given


def patch_length(model: SeriesModel, length: int) -> int:
    """Time steps of a token for samples of ``length`` steps."""
    return model.patch_length or math.ceil(length / MOST_TOKENS)


def grid(model: SeriesModel, length: int, channels: int) -> tuple[int, ...]:
    """(N,) where channels are mixed, (C, N) where each has tokens of its own."""
    time = math.ceil(length / patch_length(model, length))
    return (time,) if model.channels == "mixed" else (channels, time)
