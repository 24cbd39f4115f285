"""The trained module: encoder, predictor, target encoder, and the loss of one batch.

Everything that needs gradients runs through ``forward``, so that DDP synchronises all of it.

Shapes: B samples of this rank, C x H x W pixels, K context tokens, M target blocks, T tokens a
block, N tokens of the grid, D width.
"""

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..config import JepaTraining, Model, Objective
from .encoder import VisionTransformer
from .gather import gather_rows
from .objectives import between_sample_rows, ema_target_loss, full, regularisation
from .predictor import MaskedPredictor
from .tokenizers import gather_tokens


def build_encoder(model: Model, image_size: int, channels: int, seed: int) -> VisionTransformer:
    """The encoder with initial weights that depend on ``seed`` only."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return VisionTransformer(
            image_size,
            channels,
            model.patch_size,
            model.dim,
            model.depth,
            model.heads,
            model.mlp_ratio,
        )


class Views(NamedTuple):
    """What one batch gives the loss; the target carries gradients in ``vicreg`` only.

    prediction, target: (B, M, T, D). context: (B, K, D) at int64 positions context_index (B, K).
    full: (B, N, D) all tokens by the trained encoder, where it sees them (``vicreg``).
    """

    prediction: Tensor
    target: Tensor
    context: Tensor
    context_index: Tensor
    full: Tensor | None


class Jepa(nn.Module):
    """Joint-embedding predictive architecture for images.

    Attributes:
        encoder: sees the context.
        predictor: predicts the embeddings of hidden tokens.
        target_encoder: EMA of the encoder (None for the pure ``vicreg`` objective), no gradients.
    """

    def __init__(self, train: JepaTraining, image_size: int, channels: int):
        super().__init__()
        self.objective: Objective = train.objective
        self.encoder = build_encoder(train.model, image_size, channels, train.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(train.seed + 1)
            self.predictor = MaskedPredictor(
                self.encoder.grid,
                train.model.dim,
                train.predictor.dim,
                train.predictor.depth,
                train.predictor.heads,
                train.model.mlp_ratio,
                train.predictor.context == "shared",
            )
        self.target_encoder = None
        if train.objective.kind != "vicreg":
            self.target_encoder = copy.deepcopy(self.encoder).requires_grad_(False)

        for module in (self.encoder, self.predictor):
            module.transformer.recompute = train.recompute

    def forward(
        self, x_BCHW: Tensor, context_BK: Tensor | None = None, targets_BMT: Tensor | None = None
    ) -> Views | Tensor:
        """What the loss compares; without masks, the embeddings (B, N, D) of the exported encoder."""
        if context_BK is None:
            return self.exported()(x_BCHW)
        context_BKD = self.encoder(x_BCHW, context_BK)
        prediction_BMTD = self.predictor(context_BKD, context_BK, targets_BMT)
        if self.target_encoder is None:
            full_BND = self.encoder(x_BCHW)
        else:
            with torch.no_grad():
                full_BND = self.target_encoder(x_BCHW)
        target_BMTD = _at(full_BND, targets_BMT)
        full = full_BND if self.target_encoder is None else None
        return Views(prediction_BMTD, target_BMTD, context_BKD, context_BK, full)

    def loss(self, views: Views, alone: bool = False) -> tuple[Tensor, dict[str, Tensor]]:
        """Scalar loss of this rank's share of the batch, and its detached parts.

        Prediction errors are means over the rank's samples (DDP averages them over ranks);
        variance and covariance are taken over the samples of all ranks, unless ``alone``.
        """
        o = self.objective
        parts: dict[str, Tensor] = {}
        if self.target_encoder is not None:
            parts["prediction"] = ema_target_loss(views.prediction, views.target, o.distance)
            loss = parts["prediction"]
        else:
            error = full(views.prediction) - full(views.target)
            parts["invariance"] = error.square().mean()
            loss = o.invariance * parts["invariance"]
        if o.regularised:
            parts["variance"], parts["covariance"] = self._regularisation(views, alone)
            loss = loss + o.variance * parts["variance"] + o.covariance * parts["covariance"]
        return loss, {name: part.detach() for name, part in parts.items()}

    def _regularisation(self, views: Views, alone: bool) -> tuple[Tensor, Tensor]:
        o, n = self.objective, self.encoder.grid[0] * self.encoder.grid[1]
        branches = [(views.context, views.context_index)]
        if views.full is not None:
            every_BN = torch.arange(n, device=views.full.device).expand(len(views.full), -1)
            branches.append((views.full, every_BN))
        gather = (lambda x: x) if alone else gather_rows
        rows = [between_sample_rows(gather(x), gather(i), n) for x, i in branches]
        kinds = [regularisation(kind, o.gamma, o.eps) for kind in zip(*rows, strict=True)]
        variance, covariance = (torch.stack(terms).mean() for terms in zip(*kinds, strict=True))
        return variance, covariance

    def exported(self) -> VisionTransformer:
        """The encoder that users get: the EMA target where there is one."""
        return self.encoder if self.target_encoder is None else self.target_encoder


def _at(tokens_BND: Tensor, targets_BMT: Tensor) -> Tensor:
    """Token embeddings (B, M, T, D) at the target positions."""
    B, M, T = targets_BMT.shape
    return gather_tokens(tokens_BND, targets_BMT.flatten(1)).view(B, M, T, -1)
