"""The trained module: encoder, predictor, target encoder, and the loss of one batch.

Everything that needs gradients runs through ``forward``, so that DDP synchronises all of it.

Shapes: B samples of this rank, C x H x W pixels, K context tokens, M target blocks, T tokens a
block, N tokens of the grid, D width.
"""

import copy

import torch
from torch import Tensor, nn

from ..config import JepaTraining, Model, Objective
from .encoder import VisionTransformer
from .gather import gather_rows
from .objectives import between_sample_rows, ema_target_loss, regularisation
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
            )
        self.target_encoder = None
        if train.objective.kind != "vicreg":
            self.target_encoder = copy.deepcopy(self.encoder).requires_grad_(False)

    def forward(
        self, x_BCHW: Tensor, context_BK: Tensor, targets_BMT: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Scalar loss of this rank's share of the batch, and its detached parts.

        Prediction errors are means over the rank's samples (DDP averages them over ranks);
        variance and covariance are taken over the samples of all ranks.
        """
        context_BKD = self.encoder(x_BCHW, context_BK)
        prediction_BMTD = self.predictor(context_BKD, context_BK, targets_BMT)
        o = self.objective
        parts: dict[str, Tensor] = {}
        loss = prediction_BMTD.new_zeros((), dtype=torch.float32)
        branches = [(context_BKD, context_BK)]
        if self.target_encoder is not None:
            with torch.no_grad():
                full_BND = self.target_encoder(x_BCHW)
            target = _at(full_BND, targets_BMT)
            parts["prediction"] = ema_target_loss(prediction_BMTD, target, o.distance)
            loss = loss + parts["prediction"]
        else:
            full_BND = self.encoder(x_BCHW)
            target = _at(full_BND, targets_BMT)
            parts["invariance"] = (prediction_BMTD.float() - target.float()).square().mean()
            loss = loss + o.invariance * parts["invariance"]
            all_BN = torch.arange(full_BND.shape[1], device=x_BCHW.device).expand(len(x_BCHW), -1)
            branches.append((full_BND, all_BN))
        if o.kind != "ema_target":
            n = self.encoder.grid[0] * self.encoder.grid[1]
            rows = []
            for tokens, index in branches:
                rows.append(between_sample_rows(gather_rows(tokens), gather_rows(index), n))
            tokens_terms = regularisation(tuple(r[0] for r in rows), o.gamma, o.eps)
            pooled_terms = regularisation(tuple(r[1] for r in rows), o.gamma, o.eps)
            parts["variance"] = (tokens_terms[0] + pooled_terms[0]) / 2
            parts["covariance"] = (tokens_terms[1] + pooled_terms[1]) / 2
            loss = loss + o.variance * parts["variance"] + o.covariance * parts["covariance"]
        return loss, {name: part.detach() for name, part in parts.items()}

    def exported(self) -> VisionTransformer:
        """The encoder that users get: the EMA target where there is one."""
        return self.encoder if self.target_encoder is None else self.target_encoder


def _at(tokens_BND: Tensor, targets_BMT: Tensor) -> Tensor:
    """Token embeddings (B, M, T, D) at the target positions."""
    B, M, T = targets_BMT.shape
    return gather_tokens(tokens_BND, targets_BMT.flatten(1)).view(B, M, T, -1)
