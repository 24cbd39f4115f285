"""Predicted embeddings of later frames, beside predictions that need no model.

The encoder sees the past of a clip; the predictor predicts the tokens of later times, which the exported
encoder makes of the whole clip. Without a model: the last tokens of the past again, a line through the
last two, and the training mean of each token.

Shapes: n clips, H horizons, S places of a frame (height x width of the grid), P width of the space in
which predictions are compared in training.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...device import judging_device, moved
from ...draws import evenly
from ...model.export import batches, load_weights
from ...model.jepa import Jepa
from ...model.objectives.terms import full
from .encoder import ClipInputs, describe, inputs
from .jepa import video_jepa
from .settings import Evaluate, horizons_of
from .store import VideoStore
from .times import past_and_future
from .training import VideoJepa

MODEL, LAST, LINE, MEAN = "predictor", "copy_last", "linear", "mean"
_BLOCK = 64


@dataclass(frozen=True)
class Future:
    """Errors of predicted embeddings on test clips.

    rows: int64 (n,), the clips. past: times that predictions see. horizons: times ahead.
    errors: method -> column ("error H") -> float64 (n,): squared distance from the real embeddings,
        summed over the tokens of the frame, over that of their mean over clips, averaged over clips: 1 =
        no better than a constant.
    predicted: float32 (n, H, P), the model's, averaged over places.
    persistence: what ``metrics.evidence`` reads, of embeddings less the training mean; None for other
        tasks than future.
    """

    rows: np.ndarray
    past: int
    horizons: tuple[int, ...]
    errors: dict[str, dict[str, np.ndarray]]
    predicted: np.ndarray
    persistence: dict[str, float | int] | None


def predicted_future(
    train: VideoJepa, folder: Path, store: VideoStore, settings: Evaluate
) -> Future | None:
    """Errors of the predictor and of predictions without a model; None where clips are too short."""
    device = judging_device()
    jepa = video_jepa(train, store)
    jepa.load_state_dict(load_weights(folder / "jepa.safetensors"))
    jepa.eval().requires_grad_(False).to(device)
    past, horizons = horizons_of(settings, jepa.encoder.grid[0])
    if not horizons:
        return None
    look = _Look(jepa, inputs(describe(train, store), device), store, past, horizons)
    mean = look.mean(evenly(store.rows("train"), settings.clips))
    rows = evenly(store.rows("test"), settings.clips)
    total, squares, found, angles, predicted = 0.0, 0.0, {}, {MODEL: [], LAST: []}, []
    for some in batches(rows, _BLOCK):
        target, methods = look(some)
        methods[MEAN] = mean.expand_as(target)
        for name, guess in methods.items():
            found.setdefault(name, []).append((guess - target).square().sum((2, 3)).double().cpu())
        for name, parts in angles.items():
            parts.append(_apart(methods[name] - mean, target - mean))
        total, squares = total + target.double().sum(0), squares + target.double().square().sum(0)
        predicted.append(methods[MODEL].mean(2).cpu().numpy())
    variance = (squares / len(rows) - (total / len(rows)).square()).sum((1, 2)).cpu().clamp(min=1e-12)
    errors = {
        name: {
            f"error {h}": values[:, i].numpy()
            for i, h in enumerate(horizons)
            for values in [torch.cat(parts) / variance]
        }
        for name, parts in found.items()
    }
    persistence = None
    if train.task == "future":
        apart = {name: float(torch.cat(parts).mean()) for name, parts in angles.items()}
        persistence = {"n": len(rows), "predicted": apart[MODEL], "repeated": apart[LAST]}
    return Future(rows, past, horizons, errors, np.concatenate(predicted), persistence)


def _apart(a: Tensor, b: Tensor) -> Tensor:
    """Squared distance (n,) on the unit sphere, averaged over tokens."""
    unit = (functional.normalize(x, dim=-1) for x in (a, b))
    return (next(unit) - next(unit)).square().sum(-1).mean((1, 2)).double().cpu()


class _Look:
    """Targets and predictions of clips in the space in which training compares them."""

    def __init__(
        self, jepa: Jepa, prepare: ClipInputs, store: VideoStore, past: int, horizons: tuple[int, ...]
    ):
        self._jepa, self._inputs, self._store = jepa, prepare, store
        self._past, self._horizons = past, torch.tensor(horizons)
        self._device = next(jepa.parameters()).device

    @torch.no_grad()
    def __call__(self, rows: np.ndarray) -> tuple[Tensor, dict[str, Tensor]]:
        """(targets, predictions by method), float32 (n, H, S, P) each."""
        jepa, grid = self._jepa, self._jepa.encoder.grid
        x = self._inputs(self._store.samples(rows))
        context, targets = past_and_future(grid, self._past, int(self._horizons.max()), len(rows))
        chosen = np.ascontiguousarray(targets[:, self._horizons.numpy() - 1])
        context, chosen = (moved(np.ascontiguousarray(part), self._device) for part in (context, chosen))
        views = jepa(x, context, chosen)
        past = self._space(jepa.exported()(x, context))
        last, before = (past[:, -i * chosen.shape[2] :][:, : chosen.shape[2]] for i in (1, 2))
        ahead = self._horizons.to(self._device)[:, None, None]
        return full(views.target if jepa.target_encoder is None else self._space(views.target)), {
            MODEL: full(views.prediction),
            LAST: last[:, None].expand(-1, len(self._horizons), -1, -1),
            LINE: last[:, None] + ahead * (last - before)[:, None],
        }

    def _space(self, tokens: Tensor) -> Tensor:
        if self._jepa.target_encoder is None:
            return full(self._jepa.projector(tokens))
        return self._jepa.target_space(full(tokens))

    def mean(self, rows: np.ndarray) -> Tensor:
        """Mean targets of clips, float32 (H, S, P)."""
        return (sum(self(some)[0].double().sum(0) for some in batches(rows, _BLOCK)) / len(rows)).float()
