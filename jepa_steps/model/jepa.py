"""The trained module: encoder, predictor, projector, target encoder, and the loss of one batch.

Everything that needs gradients runs through ``forward``, so that DDP synchronises all of it.

Shapes: B samples of this rank, K context tokens, M target blocks, T tokens per block, N tokens of the
grid, D width, P width after the projector (D without one).
"""

import copy
from collections.abc import Callable
from functools import partial, reduce
from operator import add

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..config import JepaRun, Objective
from .encoder import TokenEncoder
from .gather import gather_rows
from .objectives import terms
from .objectives.ema_target import target_space
from .objectives.terms import Views, between_sample_rows, full
from .projector import Projector
from .seeded import seeded
from .tokens import gather_tokens


class Jepa(nn.Module):
    """Joint-embedding predictive architecture.

    The task is what a batch holds. Hidden tokens: one input, disjoint context and targets. Conditional:
    two inputs, all tokens of the first as context and of the second as targets, and a condition.

    Attributes:
        encoder: sees the context.
        predictor: predicts the embeddings of target tokens (None at level ``pooled``).
        projector: between embeddings and the terms of vicreg and sigreg; concat_projector: the same of
            all tokens one after another (None without pooling mean+concat).
        target_encoder: EMA of the encoder (None without ``ema_target``), no gradients.
        watch: called with the exported encoder's tokens (B, N, D) of a batch that is trained on.
    """

    def __init__(
        self, encoder: TokenEncoder, predictor: nn.Module | None, objective: Objective, seed: int
    ):
        super().__init__()
        self.objective, self.seed = objective, seed
        self.encoder, self.projector = encoder, nn.Identity()
        if objective.projector:
            self.projector = Projector(encoder.dim, objective.projector)
        self.concat_projector = None
        if objective.pooling == "mean+concat":
            self.concat_projector = Projector(encoder.dim * encoder.tokens, objective.projector)
        self.predictor = predictor
        self.target_encoder = None
        if objective.moving_target:
            self.target_encoder = copy.deepcopy(encoder).requires_grad_(False)
        self.watch: Callable[[Tensor], None] | None = None

    def forward(
        self,
        x: Tensor,
        context_BK: Tensor | None = None,
        targets_BMT: Tensor | None = None,
        target_view: Tensor | None = None,
        *condition: Tensor,
    ) -> Views | Tensor:
        """What the loss compares; without context, the embeddings (B, N, D) of the exported encoder.

        Args:
            x: samples, as the tokenizer takes them.
            context_BK, targets_BMT: int64, positions of tokens.
            target_view: what the target is computed from, where it is not ``x``.
            condition: what the predictor is told beside the context, samples along the first axis.
        """
        if context_BK is None:
            return self.exported()(x)
        view = x if target_view is None else target_view
        context_BKD = self.encoder(x, context_BK)
        if self.predictor is None:
            full_BND = self._shown(self.encoder(view))
            return Views(self._pooled(context_BKD), self._pooled(full_BND))
        prediction_BMTD = self.predictor(context_BKD, context_BK, targets_BMT, *condition)
        context_BKP = self.projector(context_BKD)
        if self.target_encoder is not None:
            with torch.no_grad():
                full_BND = self.target_encoder(view)
            target_BMTD = _at(self._shown(full_BND), targets_BMT)
            return Views(prediction_BMTD, target_BMTD, context_BKP, context_BK)
        full_BNP = self.projector(self._shown(self.encoder(view)))
        target_BMTP = _at(full_BNP, targets_BMT)
        return Views(self.projector(prediction_BMTD), target_BMTP, context_BKP, context_BK, full_BNP)

    def _pooled(self, tokens_BND: Tensor) -> Tensor:
        """The projected mean of the tokens, (B, P); beside it all tokens, projected, where that is asked
        for, (B, 2 P)."""
        mean_BP = self.projector(tokens_BND.mean(1))
        if self.concat_projector is None:
            return mean_BP
        return torch.cat([mean_BP, self.concat_projector(tokens_BND.flatten(1))], 1)

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
        rows = partial(self._rows, views, alone)
        weighted = terms(views, rows, self.objective, self.seed, step)
        loss = reduce(add, (term.weight * term.value for term in weighted))
        return loss, {term.name: term.value.detach() for term in weighted}

    def alignment(self, views: Views) -> dict[str, Tensor]:
        """Mean squared distance of predictions on the unit sphere: ``alignment`` from their targets
        (Wang & Isola 2020, alpha = 2), ``alignment_shuffled`` from those of the batch's next sample.

        0 = equal, 2 = nothing in common. Where the targets of all samples lie at the same positions, a
        prediction that knows nothing of its sample is as far from the one as from the other. Where they
        lie elsewhere, one that knows where its own lie is nearer to them by that alone.
        """
        target = self.target_space(full(views.target))
        prediction, true = (functional.normalize(x, dim=-1) for x in (full(views.prediction), target))
        targets = {"alignment": true, "alignment_shuffled": true.roll(1, 0)}
        return {name: (prediction - x).square().sum(-1).mean() for name, x in targets.items()}

    def target_space(self, tokens: Tensor) -> Tensor:
        """Tokens (..., D) of the exported encoder as predictions are compared with them."""
        return tokens if self.target_encoder is None else target_space(tokens)

    def _rows(self, views: Views, alone: bool) -> list[tuple[Tensor, ...]]:
        """Kinds of rows that must vary between samples, each of every branch, over all ranks."""
        gather = (lambda x: x) if alone else gather_rows
        if views.context is None:
            return [(gather(views.prediction), gather(views.target))]
        n = self.encoder.tokens
        branches = [(views.context, views.context_index)]
        if views.full is not None:
            every_BN = torch.arange(n, device=views.full.device).expand(len(views.full), -1)
            branches.append((views.full, every_BN))
        rows = [between_sample_rows(gather(x), gather(i), n) for x, i in branches]
        return list(zip(*rows, strict=True))

    def exported(self) -> TokenEncoder:
        """The encoder that users get: the EMA target where there is one."""
        return self.encoder if self.target_encoder is None else self.target_encoder


def _at(tokens_BND: Tensor, targets_BMT: Tensor) -> Tensor:
    """Token embeddings (B, M, T, D) at the target positions."""
    B, M, T = targets_BMT.shape
    return gather_tokens(tokens_BND, targets_BMT.flatten(1)).view(B, M, T, -1)


def build_jepa(train: JepaRun, encoder: TokenEncoder, predictor: Callable[[], nn.Module]) -> Jepa:
    """The trained module around an encoder, with initial weights that depend on ``train.seed`` only.

    Args:
        predictor: builds the predictor, where ``objective.level`` is ``tokens``; its weights are drawn
            after the encoder's.
    """
    if train.init:  # whose position codes are weights
        encoder.keep_positions()
    with seeded(train.seed + 1):
        built = predictor() if train.objective.level == "tokens" else None
        jepa = Jepa(encoder, built, train.objective, train.seed)
    for transformer in [getattr(part, "transformer", None) for part in (encoder, built)]:
        if transformer is not None:
            transformer.recompute = train.recompute
    return jepa
