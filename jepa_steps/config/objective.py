"""Settings of what is minimised, and how."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Settings, Share


class Objective(Settings):
    """What is minimised."""

    kind: Literal["ema_target", "vicreg", "ema_target+vicreg", "sigreg"] = "ema_target"
    """ema_target: predict a stop-gradient EMA encoder (I-JEPA). vicreg: predict the same encoder,
    kept from collapse by variance and covariance terms. The sum: C-JEPA. sigreg: predict the same
    encoder, kept from collapse by pulling embeddings towards a standard normal (LeJEPA)."""
    level: Literal["tokens", "pooled"] = "tokens"
    """tokens: the predictor predicts hidden tokens. pooled: the mean of the context's embeddings is
    compared with the mean of the whole target view's, without a predictor; vicreg and sigreg only."""
    pooling: Literal["mean", "mean+concat"] = "mean"
    """What of the tokens is compared at level pooled. mean: their mean. mean+concat: beside it all
    tokens one after another, behind a projector of their own, so that what happened where is kept, too;
    takes a projector, and context and target that see all tokens."""
    projector: Annotated[int, Field(ge=2)] | None = None
    """Width of a Linear-LayerNorm-GELU-Linear between embeddings and the terms of vicreg and sigreg;
    it is not part of the exported encoder. null: none."""
    distance: Literal["smooth_l1", "l1", "l2"] = "smooth_l1"
    """Distance for ema_target; V-JEPA has l1."""
    ema_momentum: tuple[Share, Share] = (0.996, 1.0)
    """EMA momentum of the target encoder at the first and last step; linear between."""
    invariance: Annotated[float, Field(ge=0)] = 25.0
    """VICReg weight of the prediction error."""
    variance: Annotated[float, Field(ge=0)] = 25.0
    """VICReg weight of the variance hinge."""
    covariance: Annotated[float, Field(ge=0)] = 1.0
    """VICReg weight of the covariance term."""
    gamma: Annotated[float, Field(gt=0)] = 1.0
    """Standard deviation below which the variance hinge acts."""
    eps: Annotated[float, Field(gt=0)] = 1e-4
    """Added to the variance before the root."""
    sigreg: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Weight of the sigreg term; the prediction error has 1 - sigreg."""
    directions: Annotated[int, Field(ge=1)] = 256
    """Random directions of a step onto which sigreg projects embeddings."""

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
    """How the objective is minimised; schedules move with each optimizer step."""

    kind: Literal["adamw", "adam", "sgd", "lamb", "muon"] = "adamw"
    """adamw: the default. adam: without decay. sgd: with Nesterov-free momentum. lamb: for batches of
    many thousands. muon: orthogonalised momentum for the matrices inside transformer blocks, adamw
    for the rest."""
    lr: Annotated[float, Field(gt=0, le=1)] = 1e-4
    """Peak learning rate."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """Shape of the decay after warm-up."""
    min_lr_ratio: Share = 0.01
    """Final learning rate over the peak; unused by the constant schedule."""
    warmup: Share = 0.1
    """Share of the steps spent warming up linearly."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Decoupled decay of matrices at the first step; biases, norms and tokens are exempt."""
    final_weight_decay: Annotated[float, Field(ge=0, le=1)] | None = None
    """Decay at the last step, half a cosine away (I-JEPA: 0.04 to 0.4); null = constant."""
    betas: tuple[Share, Share] = (0.9, 0.999)
    """Moment decay rates of adamw, adam and lamb."""
    momentum: Share = 0.9
    """Momentum of sgd and muon."""
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    """Gradients are scaled down to this global norm."""

    @model_validator(mode="after")
    def _adam_does_not_decay(self) -> "Optimizer":
        if self.kind == "adam" and (self.weight_decay or self.final_weight_decay):
            raise ValueError("kind adam has no decoupled decay: set weight_decay to 0, or take adamw")
        return self
