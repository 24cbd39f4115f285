"""What of an encoder's tokens a forecast is fitted on.

Shapes: n windows, C channels, N tokens, D width, p features.
"""

import numpy as np

from ....model.export import Encoder
from ..store import SeriesStore
from .ridge import Features
from .windows import Past

WIDEST = 4096  # features; a ridge regression keeps the square of them


def token_features(
    encoder: Encoder, store: SeriesStore, online: Encoder | None = None
) -> dict[str, Features]:
    """By pooling, functions from windows to features: ``concat``, all tokens one after another, and
    ``mean``; of the ``online`` encoder beside them, where there is one. Where each channel has tokens of
    its own, a row per channel. Empty for a floor whose one vector is too wide."""
    if online is not None:
        own = token_features(online, store)
        return token_features(encoder, store) | {f"online {name}": read for name, read in own.items()}
    grid = encoder.grid or ()
    rows = grid[0] if len(grid) > 1 else 1

    def of(block: Past, pooling: str) -> np.ndarray:
        tokens = encoder.encode(store.samples(block.rows)).cpu().numpy()
        tokens = tokens.reshape(len(tokens), rows, -1, tokens.shape[-1])
        return tokens.mean(2) if pooling == "mean" else tokens.reshape(len(tokens), rows, -1)

    width = (
        encoder.embed(store.samples(store.rows("train")[:1])).shape[1] * max(1, encoder.tokens) // rows
    )
    names = (["concat"] if width <= WIDEST else []) + ["mean"] * (encoder.tokens > 1)
    return {name: lambda block, name=name: of(block, name) for name in names}
