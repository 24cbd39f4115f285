"""Whether a predictor of the future does better than repeating the last embedding of the past.

Shapes: n samples, K context tokens, M target blocks, T tokens per block, D width.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ....device import judging_device
from ....draws import evenly
from ....model.export import load_weights
from ....model.jepa import Jepa
from ....model.objectives.terms import full
from ..batches import SeriesBatches
from ..jepa import series_jepa
from ..store import SeriesStore
from ..training import SeriesJepa, SeriesMasks

_SAMPLES, _BLOCK = 2048, 256


def persistence(train: SeriesJepa, folder: Path, store: SeriesStore) -> dict[str, float | int]:
    """Mean squared distances on the unit sphere of the future's embeddings, on test: ``predicted``, from
    the predictions; ``repeated``, from the last token of the past, as the same encoder embeds it alone.
    0 = equal, 2 = nothing in common. In the space in which predictions are compared in training, each
    dimension less its mean over the samples, so that what all samples share counts for neither."""
    device = judging_device()
    jepa, batches = series_jepa(train, store), SeriesBatches(train, store, device)
    jepa.load_state_dict(load_weights(folder / "jepa.safetensors"))
    jepa.eval().requires_grad_(False).to(device)
    rows = evenly(store.rows("test"), _SAMPLES)
    parts = [
        _embedded(jepa, batches, train.masks, number, rows[a : a + _BLOCK])
        for number, a in enumerate(range(0, len(rows), _BLOCK))
    ]
    most = min(part[0].shape[1] for part in parts)  # blocks of a batch have a size of their own
    prediction, target, last = (torch.cat([part[i][:, :most] for part in parts]) for i in range(3))
    mean = target.mean((0, 1))
    unit = [functional.normalize(x - mean, dim=-1) for x in (prediction, target, last)]
    return {
        "n": len(rows),
        "predicted": float((unit[0] - unit[1]).square().sum(-1).mean()),
        "repeated": float((unit[2] - unit[1]).square().sum(-1).mean()),
    }


@torch.no_grad()
def _embedded(
    jepa: Jepa, batches: SeriesBatches, masks: SeriesMasks, number: int, rows: np.ndarray
) -> tuple[Tensor, Tensor, Tensor]:
    """(predictions, targets, the last token of the past repeated), float32 (n, M * T, D) each."""
    batch = batches.of(number, np.zeros(len(rows), np.int64), rows, masks.blocks, masks.scale)
    views = jepa(*batch)
    target, context = full(views.target).flatten(1, 2), batch[1]
    past = jepa.exported()(batch[0], context)
    time = context % jepa.encoder.grid[-1]
    last = torch.take_along_dim(past, time.argmax(1)[:, None, None], 1).expand_as(target)
    space = jepa.target_space
    return full(views.prediction).flatten(1, 2), space(target), space(full(last))
