"""The same clip under several context masks: what LiDAR and alignment compare.

Shapes: n samples, q views, D width.
"""

from collections.abc import Sequence

import numpy as np

from ...config import Embed
from ...data.union_masks import UnionMasks
from ...draws import sample
from ...model.export import Encoder, batches
from .store import VideoStore

WHAT = "context masks"
_SCALE = (0.3, 0.5)  # one hidden block, over all frames, as of images


def views(
    encoders: Sequence[Encoder], store: VideoStore, settings: Embed
) -> tuple[np.ndarray, np.ndarray]:
    """(embeddings float32 (stages, n, q, D) of n training clips, each with q blocks of 30 to 50 % of
    height x width hidden over all frames, their rows int64 (n,)); none of encoders without a grid of at
    least two places."""
    rows = sample(store.rows("train"), settings.view_samples, 0, "embed sample")
    found = [_masked(encoder, store, rows, settings) for encoder in encoders]
    return np.stack(found), rows if found[0].size else rows[:0]


def _masked(encoder: Encoder, store: VideoStore, rows: np.ndarray, settings: Embed) -> np.ndarray:
    if not encoder.maskable or encoder.grid[1] * encoder.grid[2] < 2:
        return np.empty((0, 0, encoder.embed(store.samples(rows[:1])).shape[1]), np.float32)
    sampler = UnionMasks(encoder.grid, 0, 1, _SCALE, purpose="views")
    found = []
    for view in range(settings.views):
        layout = sampler.layout(view, np.full(len(rows), view), rows)
        context, _ = sampler.seen_and_hidden(layout)
        parts = zip(
            batches(rows, settings.batch_size), batches(context, settings.batch_size), strict=True
        )
        found.append(
            np.concatenate(
                [encoder.encode(store.samples(x), keep).mean(1).cpu().numpy() for x, keep in parts]
            )
        )
    return np.stack(found, 1)
