"""The trained module: encoder, predictor, projector, target encoder, and the loss of one batch.

Everything that needs gradients runs through ``forward``, so that DDP synchronises all of it.

Shapes: B samples of this rank, C x H x W pixels, K context tokens, M target blocks, T tokens a
block, N tokens of the grid, D width, P width after the projector (D without one).
"""

import copy
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..config import JepaTraining, Model, Objective
from .encoder import VisionTransformer
from .gather import gather_rows
from .objectives import (
    between_sample_rows,
    ema_target_loss,
    full,
    regularisation,
    sigreg_loss,
    unit_directions,
)
from .predictor import MaskedPredictor
from .projector import Projector
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
    """What one batch gives the loss, behind the projector where there is one.

    Of tokens: prediction, target (B, M, T, P); context (B, K, P) at int64 positions context_index
    (B, K); full (B, N, P), all tokens by the trained encoder where it sees them (no EMA target).
    Pooled: prediction, target (B, P), the means of the context and of the target view; the rest None.
    """

    prediction: Tensor
    target: Tensor
    context: Tensor | None = None
    context_index: Tensor | None = None
    full: Tensor | None = None


class Jepa(nn.Module):
    """Joint-embedding predictive architecture for images.

    Attributes:
        encoder: sees the context.
        predictor: predicts the embeddings of hidden tokens (None at level ``pooled``).
        projector: between embeddings and the terms of vicreg and sigreg.
        target_encoder: EMA of the encoder (None without ``ema_target``), no gradients.
        watch: called with the exported encoder's tokens (B, N, D) of a batch that is trained on.
    """

    def __init__(self, train: JepaTraining, image_size: int, channels: int):
        super().__init__()
        self.objective: Objective = train.objective
        self.seed = train.seed
        self.encoder = build_encoder(train.model, image_size, channels, train.seed)
        self.predictor = None
        self.projector = nn.Identity()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(train.seed + 1)
            if train.objective.level == "tokens":
                self.predictor = MaskedPredictor(
                    self.encoder.grid,
                    train.model.dim,
                    train.predictor.dim,
                    train.predictor.depth,
                    train.predictor.heads,
                    train.model.mlp_ratio,
                    train.predictor.context == "shared",
                )
                self.predictor.transformer.recompute = train.recompute
            if train.objective.projector:
                self.projector = Projector(train.model.dim, train.objective.projector)
        self.target_encoder = None
        if "ema_target" in train.objective.kind:
            self.target_encoder = copy.deepcopy(self.encoder).requires_grad_(False)
        self.encoder.transformer.recompute = train.recompute
        self.watch: Callable[[Tensor], None] | None = None

    def forward(
        self,
        x_BCHW: Tensor,
        context_BK: Tensor | None = None,
        targets_BMT: Tensor | None = None,
        target_view_BCHW: Tensor | None = None,
    ) -> Views | Tensor:
        """What the loss compares; without masks, the embeddings (B, N, D) of the exported encoder.

        Args:
            target_view_BCHW: what the target is computed from, where it is not ``x_BCHW``.
        """
        if context_BK is None:
            return self.exported()(x_BCHW)
        view_BCHW = x_BCHW if target_view_BCHW is None else target_view_BCHW
        context_BKD = self.encoder(x_BCHW, context_BK)
        if self.predictor is None:
            full_BND = self._shown(self.encoder(view_BCHW))
            pooled = (context_BKD.mean(1), full_BND.mean(1))
            return Views(*(self.projector(x_BD) for x_BD in pooled))
        prediction_BMTD = self.predictor(context_BKD, context_BK, targets_BMT)
        context_BKP = self.projector(context_BKD)
        if self.target_encoder is not None:
            with torch.no_grad():
                full_BND = self.target_encoder(view_BCHW)
            target_BMTD = _at(self._shown(full_BND), targets_BMT)
            return Views(prediction_BMTD, target_BMTD, context_BKP, context_BK)
        full_BNP = self.projector(self._shown(self.encoder(view_BCHW)))
        target_BMTP = _at(full_BNP, targets_BMT)
        return Views(self.projector(prediction_BMTD), target_BMTP, context_BKP, context_BK, full_BNP)

    def _shown(self, tokens_BND: Tensor) -> Tensor:
        """The tokens, after a look at them; a pass without gradients is none that is trained on."""
        if self.watch is not None and torch.is_grad_enabled():
            self.watch(tokens_BND)
        return tokens_BND

    def loss(self, views: Views, step: int = 0, alone: bool = False) -> tuple[Tensor, dict[str, Tensor]]:
        """Scalar loss of this rank's share of the batch, and its detached parts.

        Prediction errors are means over the rank's samples (DDP averages them over ranks); terms
        that couple samples are taken over the samples of all ranks, unless ``alone``.

        Args:
            step: optimizer step, from which the directions of sigreg are drawn.
        """
        o = self.objective
        parts: dict[str, Tensor] = {}
        if self.target_encoder is not None:
            parts["prediction"] = ema_target_loss(views.prediction, views.target, o.distance)
            loss = parts["prediction"]
        else:
            error = full(views.prediction) - full(views.target)
            parts["invariance"] = error.square().mean()
            loss = (1 - o.sigreg if o.kind == "sigreg" else o.invariance) * parts["invariance"]
        if o.kind == "sigreg":
            parts["sigreg"] = self._sigreg(self._rows(views, alone), step)
            loss = loss + o.sigreg * parts["sigreg"]
        elif o.regularised:
            kinds = [regularisation(rows, o.gamma, o.eps) for rows in self._rows(views, alone)]
            terms = (torch.stack(term).mean() for term in zip(*kinds, strict=True))
            parts["variance"], parts["covariance"] = terms
            loss = loss + o.variance * parts["variance"] + o.covariance * parts["covariance"]
        return loss, {name: part.detach() for name, part in parts.items()}

    def _rows(self, views: Views, alone: bool) -> list[tuple[Tensor, ...]]:
        """Kinds of rows that must vary between samples, each of every branch, over all ranks."""
        gather = (lambda x: x) if alone else gather_rows
        if views.context is None:
            return [(gather(views.prediction), gather(views.target))]
        n = self.encoder.grid[0] * self.encoder.grid[1]
        branches = [(views.context, views.context_index)]
        if views.full is not None:
            every_BN = torch.arange(n, device=views.full.device).expand(len(views.full), -1)
            branches.append((views.full, every_BN))
        rows = [between_sample_rows(gather(x), gather(i), n) for x, i in branches]
        return list(zip(*rows, strict=True))

    def _sigreg(self, kinds: list[tuple[Tensor, ...]], step: int) -> Tensor:
        """Mean over kinds and branches; token rows weigh as much as pooled ones, one row a sample."""
        pooled_BP = kinds[-1][0]
        directions = unit_directions(pooled_BP.shape[1], self.objective.directions, self.seed, step).to(
            pooled_BP.device
        )
        terms = [sigreg_loss(x, directions) * (len(pooled_BP) / len(x)) for rows in kinds for x in rows]
        return torch.stack(terms).mean()

    def exported(self) -> VisionTransformer:
        """The encoder that users get: the EMA target where there is one."""
        return self.encoder if self.target_encoder is None else self.target_encoder


def _at(tokens_BND: Tensor, targets_BMT: Tensor) -> Tensor:
    """Token embeddings (B, M, T, D) at the target positions."""
    B, M, T = targets_BMT.shape
    return gather_tokens(tokens_BND, targets_BMT.flatten(1)).view(B, M, T, -1)
