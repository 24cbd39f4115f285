"""The same series under several hidden blocks of time: what LiDAR and alignment compare.

Shapes: n samples, q views.
"""

from collections.abc import Sequence

import numpy as np

from ...config import Embed
from ...draws import sample
from ...model.export import Encoder, batches
from .masks import TimeMasks
from .store import SeriesStore
from .training import SeriesMasks

WHAT = "context masks"
_MASKS, _SCALE = SeriesMasks(blocks=1), (0.3, 0.5)


def views(
    encoders: Sequence[Encoder], store: SeriesStore, settings: Embed
) -> tuple[np.ndarray, np.ndarray]:
    """(embeddings float32 (stages, n, q, D) of n training samples, each with q blocks of 30 to 50 % of
    its time tokens hidden, their rows int64 (n,)); none of encoders of fewer than two time tokens."""
    rows = sample(store.rows("train"), settings.view_samples, 0, "embed sample")
    found = [_masked(encoder, store, rows, settings) for encoder in encoders]
    return np.stack(found), rows if found[0].size else rows[:0]


def _masked(encoder: Encoder, store: SeriesStore, rows: np.ndarray, settings: Embed) -> np.ndarray:
    grid, size = encoder.grid, settings.batch_size
    if not encoder.maskable or grid[-1] < 2:
        width = encoder.embed(store.samples(rows[:1])).shape[1]
        return np.empty((0, 0, width), np.float32)
    patch, found = encoder.module.tokenizer.patch, []
    tokens = -(-store.windows.places(rows)[1] // patch)
    if tokens.min() < 2:
        return np.empty((0, 0, encoder.module.dim), np.float32)
    masks = TimeMasks(_MASKS, 0, grid[0] if len(grid) > 1 else 1, grid[-1], future=False)
    for view in range(settings.views):
        epoch = np.full(len(rows), view)
        visible, _ = masks.visible(view, epoch, rows, tokens, int(tokens.min()), 1, _SCALE)
        context = masks.over_channels(masks.context(visible, int(visible.sum(1).min()), epoch, rows))
        parts = zip(batches(rows, size), batches(context, size), strict=True)
        found.append(
            np.concatenate(
                [encoder.encode(store.samples(x), keep).mean(1).cpu().numpy() for x, keep in parts]
            )
        )
    return np.stack(found, 1)
