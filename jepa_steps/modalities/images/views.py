"""The same image under several context masks: what LiDAR and alignment compare.

Shapes: n images, q views, K kept tokens, D width.
"""

from collections.abc import Sequence

import numpy as np

from ...config import Embed, Masks
from ...data.masks import MultiBlockMasks
from ...draws import sample
from ...model.export import Encoder, batches
from .store import ImageStore

WHAT = "context masks"
# One hidden block: I-JEPA's four leave a 4x4 grid four tokens, and views that have little in common.
_MASKS = Masks(blocks=1, scale=(0.3, 0.5), context_scale=(1.0, 1.0))


def views(
    encoders: Sequence[Encoder], store: ImageStore, settings: Embed
) -> tuple[np.ndarray, np.ndarray]:
    """(embeddings float32 (stages, n, q, D) of n training images under q masks, their rows int64
    (n,))."""
    rows = sample(store.rows("train"), settings.view_samples, 0, "embed sample")
    embeddings = [masked_views(encoder, store.images[rows], rows, settings) for encoder in encoders]
    return np.stack(embeddings), rows


def masked_views(encoder: Encoder, images: np.ndarray, index: np.ndarray, settings: Embed) -> np.ndarray:
    """Mean token embeddings float32 (n, q, D) of images under q context masks each.

    A view hides one block of 30 to 50 % of the tokens, a function of the sample's number ``index`` and
    the view, so that all encoders see the same ones; (0, 0, D) for an encoder from which no mask can
    hide anything.
    """
    if not encoder.maskable:
        return np.empty((0, 0, encoder.embed(images[:1]).shape[1]), np.float32)
    sampler, size = MultiBlockMasks.of(_MASKS, encoder.grid, seed=0), settings.batch_size
    found = []
    for view in range(settings.views):
        context = sampler(view, np.full(len(index), view), index).context
        parts = zip(batches(images, size), batches(context, size), strict=True)
        found.append(
            np.concatenate([encoder.encode(x, keep).mean(1).cpu().numpy() for x, keep in parts])
        )
    return np.stack(found, 1)
