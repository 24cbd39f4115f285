"""What a trained predictor says of perturbations, in its own space.

Shapes: n cells, q conditions, N tokens, D width, F = N * D values of a cell in target space, or D where
that is more than can be read out (the tokens' mean then).
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ....device import judging_device, moved
from ....model.export import load_weights
from ....model.jepa import Jepa
from ..batches import Expression, Perturbations
from ..jepa import jepa_for
from ..settings import ExpressionJepa
from ..store import ExpressionStore

_WIDEST = 4096  # values of a cell; a readout keeps the square of it
_BLOCK = 1024  # cells a forward pass


class Effects:
    """Latents of cells, and predictions for controls under a perturbation.

    Args:
        train: settings.
        folder: what train wrote, with jepa.safetensors; None = initial weights.
        store: the data it was trained on.

    Attributes:
        conditions: entries of every condition of the store, 0 for none.
    """

    def __init__(self, train: ExpressionJepa, folder: Path | None, store: ExpressionStore):
        self._jepa: Jepa = jepa_for(train, store)
        self._device = judging_device()
        if folder:
            self._jepa.load_state_dict(load_weights(folder / "jepa.safetensors"))
        self._jepa.eval().requires_grad_(False).to(self._device)
        self._read = Expression(store, self._device)
        self.conditions = Perturbations(store, 0.0, 0).conditions

    @property
    def pooled(self) -> bool:
        """Whether a cell is the mean of its tokens rather than all of them."""
        encoder = self._jepa.encoder
        return encoder.tokens * encoder.dim > _WIDEST

    def latents(self, rows: np.ndarray) -> np.ndarray:
        """Cells int64 (n,) as the predictor's target sees them: float32 (n, F)."""
        return self._in_blocks(rows, self._latents)

    def _latents(self, rows: np.ndarray) -> Tensor:
        return self._flat(self._jepa.target_space(self._jepa(self._read(rows))))

    def predicted(self, rows: np.ndarray, condition: int) -> np.ndarray:
        """Predictions for cells int64 (n,) under one condition: float32 (n, F)."""

        def predict(part: np.ndarray) -> Tensor:
            every = torch.arange(self._jepa.encoder.tokens, device=self._device).expand(len(part), -1)
            code = self.conditions.take(np.full(len(part), condition))
            told = [moved(each, self._device) for each in code]
            context = self._jepa.encoder(self._read(part), every)
            return self._flat(self._jepa.predictor(context, every, every[:, None], *told)[:, 0])

        return self._in_blocks(rows, predict)

    def _flat(self, tokens_BND: Tensor) -> Tensor:
        return tokens_BND.mean(1) if self.pooled else tokens_BND.flatten(1)

    @torch.no_grad()
    def _in_blocks(self, rows: np.ndarray, forward: Callable[[np.ndarray], Tensor]) -> np.ndarray:
        parts = (rows[a : a + _BLOCK] for a in range(0, len(rows), _BLOCK))
        return np.concatenate([forward(part).float().cpu().numpy() for part in parts])
