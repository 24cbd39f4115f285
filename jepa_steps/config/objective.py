"""Settings of what is minimised, and how."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Settings, Share


class Objective(Settings):
    """What is minimised."""

    kind: Literal["ema_target", "vicreg", "ema_target+vicreg", "sigreg"] = "ema_target"
    """What is predicted, and what prevents collapse. ema_target: predict the output of a moving average
    (EMA) of the encoder, which gets no gradient (I-JEPA). vicreg: predict the output of the encoder
    itself; variance and covariance terms prevent collapse. ema_target+vicreg: predict the moving
    average, with the variance and covariance terms of vicreg (C-JEPA). sigreg: predict the output of the
    encoder itself; a term that pulls embeddings towards a standard normal distribution prevents collapse
    (LeJEPA)."""
    level: Literal["tokens", "pooled"] = "tokens"
    """What is compared. tokens: the predictor predicts hidden tokens. pooled: there is no predictor; the
    mean of the context's token embeddings is compared with the mean over all tokens of the target.
    pooled is for vicreg and sigreg only."""
    pooling: Literal["mean", "mean+concat"] = "mean"
    """How tokens are combined before level pooled compares them. mean: their mean. mean+concat: both
    their mean and, through a second projector, all tokens one after another; the latter also keeps where
    something happened. mean+concat needs a projector, and a context and a target that see all tokens."""
    projector: Annotated[int, Field(ge=2)] | None = None
    """Width of a projector (Linear-LayerNorm-GELU-Linear) between the embeddings and the terms of vicreg
    and sigreg. It is not part of the exported encoder. null = no projector."""
    distance: Literal["smooth_l1", "l1", "l2"] = "smooth_l1"
    """Distance that ema_target minimises: smooth_l1, l1 (as in V-JEPA) or l2."""
    ema_momentum: tuple[Share, Share] = (0.996, 1.0)
    """EMA momentum of the target encoder at the first and at the last step. It changes linearly in
    between."""
    invariance: Annotated[float, Field(ge=0)] = 25.0
    """VICReg: weight of the prediction error."""
    variance: Annotated[float, Field(ge=0)] = 25.0
    """VICReg: weight of the variance hinge."""
    covariance: Annotated[float, Field(ge=0)] = 1.0
    """VICReg: weight of the covariance term."""
    gamma: Annotated[float, Field(gt=0)] = 1.0
    """VICReg: standard deviation below which the variance hinge acts."""
    eps: Annotated[float, Field(gt=0)] = 1e-4
    """VICReg: added to the variance before the square root is taken."""
    sigreg: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Weight of the sigreg term; the prediction error has the weight 1 - sigreg."""
    directions: Annotated[int, Field(ge=1)] = 256
    """Number of random directions per step onto which sigreg projects the embeddings."""

    @model_validator(mode="after")
    def _combinations(self) -> "Objective":
        if "ema_target" in self.kind and self.level == "pooled":
            raise ValueError(f"level: found pooled with kind {self.kind}, expected tokens")
        if self.pooling != "mean" and (self.level != "pooled" or not self.projector):
            raise ValueError(
                f"pooling: found {self.pooling} with level {self.level} and projector {self.projector}, "
                "expected level pooled and a projector"
            )
        if self.kind == "ema_target" and self.projector:
            raise ValueError("projector: kind ema_target has none, expected null")
        return self

    @property
    def moving_target(self) -> bool:
        """True where the target is a moving average of the encoder."""
        return "ema_target" in self.kind

    @property
    def regularised(self) -> bool:
        """True where a term couples the samples of the global batch."""
        return self.kind != "ema_target"


class Optimizer(Settings):
    """How the objective is minimised. Schedules advance with each optimizer step."""

    kind: Literal["adamw", "adam", "sgd", "lamb", "muon"] = "adamw"
    """adamw: the default. adam: without weight decay (set weight_decay to 0). sgd: with classical
    momentum, not Nesterov's. lamb: for batches of many thousands. muon: orthogonalised momentum for the
    matrices inside transformer blocks, adamw for all other weights."""
    lr: Annotated[float, Field(gt=0, le=1)] = 1e-4
    """Peak learning rate."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """Shape of the learning rate's decay after the warm-up: cosine, linear or constant."""
    min_lr_ratio: Share = 0.01
    """Final learning rate divided by the peak. The constant schedule does not use it."""
    warmup: Share = 0.1
    """Share of the steps in which the learning rate rises linearly."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Decoupled weight decay of matrices at the first step. Biases, norms and learned tokens do not
    decay."""
    final_weight_decay: Annotated[float, Field(ge=0, le=1)] | None = None
    """Weight decay at the last step; it changes along half a cosine (I-JEPA: from 0.04 to 0.4). null =
    weight decay stays constant."""
    betas: tuple[Share, Share] = (0.9, 0.999)
    """Decay rates of the moments in adamw, adam and lamb."""
    momentum: Share = 0.9
    """Momentum of sgd and muon."""
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    """Largest global gradient norm. Larger gradients are scaled down to it."""

    @model_validator(mode="after")
    def _adam_does_not_decay(self) -> "Optimizer":
        if self.kind == "adam" and (self.weight_decay or self.final_weight_decay):
            raise ValueError("kind adam has no decoupled decay: set weight_decay to 0, or take adamw")
        return self
