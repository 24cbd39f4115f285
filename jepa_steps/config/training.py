"""Settings of encoders: trained ones and floors."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Range, Settings, Share, ordered


class Model(Settings):
    """Vision transformer."""

    patch_size: Annotated[int, Field(ge=1)]
    """Side of a patch, pixels; image_size must be a multiple of it."""
    dim: Annotated[int, Field(ge=4, multiple_of=4)] = 384
    """Embedding width D; a multiple of 4 (position codes) and of heads."""
    depth: Annotated[int, Field(ge=1)] = 12
    """Encoder blocks."""
    heads: Annotated[int, Field(ge=1)] = 6
    """Attention heads; width/heads of 32 to 64 is fastest."""
    mlp_ratio: Annotated[float, Field(gt=0)] = 4.0
    """Hidden width of a block's MLP over dim."""

    @model_validator(mode="after")
    def _heads_divide(self) -> "Model":
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not a multiple of heads {self.heads}")
        return self


class Predictor(Settings):
    """Masked predictor; narrower than the encoder so that the encoder does the work."""

    dim: Annotated[int, Field(ge=4, multiple_of=4)] = 192
    """Width; a multiple of 4 and of heads."""
    depth: Annotated[int, Field(ge=1)] = 6
    """Blocks; about half of the encoder's depth."""
    heads: Annotated[int, Field(ge=1)] = 6
    """Attention heads."""
    context: Literal["per_block", "shared"] = "per_block"
    """per_block: context tokens are encoded anew with each target block (I-JEPA). shared: once, without
    seeing mask tokens, and every block attends to them; cheaper the more blocks there are."""

    @model_validator(mode="after")
    def _heads_divide(self) -> "Predictor":
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not a multiple of heads {self.heads}")
        return self


class Masks(Settings):
    """Multi-block masks (I-JEPA)."""

    blocks: Annotated[int, Field(ge=1, le=16)] = 4
    """Target blocks an image."""
    scale: Range = (0.15, 0.2)
    """Share of the tokens a target block covers, [low, high]."""
    aspect: Range = (0.75, 1.5)
    """Height/width of a target block, [low, high]."""
    context_scale: Range = (0.85, 1.0)
    """Share of the tokens of the context block, before targets are taken out of it."""
    min_context: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """Layouts that leave a smaller share of the tokens visible are redrawn."""
    first_blocks: Annotated[int, Field(ge=1, le=16)] | None = None
    """Curriculum: target blocks at the first step; null = blocks."""
    first_scale: Range | None = None
    """Curriculum: scale at the first step; null = scale."""
    ramp: Share = 0.5
    """Curriculum: share of the steps after which blocks and scale are reached."""

    @model_validator(mode="after")
    def _ranges(self) -> "Masks":
        ordered("scale", self.scale, 0.9)
        ordered("aspect", self.aspect)
        ordered("context_scale", self.context_scale, 1.0)
        return self


class Augment(Settings):
    """Random resized crop and flip; the default is none."""

    crop_scale: Range = (1.0, 1.0)
    """Share of the image area that is kept, [low, high]; 0.3 to 1 in I-JEPA on ImageNet."""
    crop_aspect: Range = (1.0, 1.0)
    """Width/height of the crop, [low, high]."""
    flip: Share = 0.0
    """Probability of a horizontal flip; 0 where left and right matter, as in digits."""
    brightness: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Colour jitter: pixel values are multiplied by a factor from [1 - x, 1 + x]."""
    contrast: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Colour jitter: distances from the image's mean are multiplied by a factor from [1 - x, 1 + x]."""
    saturation: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Colour jitter: distances from grey are multiplied by a factor from [1 - x, 1 + x]."""
    target: Literal["same", "own"] = "same"
    """same: context and target are parts of one augmented image (I-JEPA). own: the target is an
    augmentation of its own, with the same ranges; for objective.level pooled."""

    @model_validator(mode="after")
    def _ranges(self) -> "Augment":
        ordered("crop_scale", self.crop_scale, 1.0)
        ordered("crop_aspect", self.crop_aspect)
        return self


class Objective(Settings):
    """What is minimised."""

    kind: Literal["ema_target", "vicreg", "ema_target+vicreg", "sigreg"] = "ema_target"
    """ema_target: predict a stop-gradient EMA encoder (I-JEPA). vicreg: predict the same encoder,
    kept from collapse by variance and covariance terms. The sum: C-JEPA. sigreg: predict the same
    encoder, kept from collapse by pulling embeddings towards a standard normal (LeJEPA)."""
    level: Literal["tokens", "pooled"] = "tokens"
    """tokens: the predictor predicts hidden tokens. pooled: the mean of the context's embeddings is
    compared with the mean of the whole target view's, without a predictor; vicreg and sigreg only."""
    projector: Annotated[int, Field(ge=2)] | None = None
    """Width of a Linear-LayerNorm-GELU-Linear between embeddings and the terms of vicreg and sigreg;
    it is not part of the exported encoder. null: none."""
    distance: Literal["smooth_l1", "l2"] = "smooth_l1"
    """Distance for ema_target."""
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
        if self.kind == "ema_target" and self.projector:
            raise ValueError("projector: kind ema_target has none, expected null")
        return self

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


class JepaTraining(Settings):
    """A trained JEPA encoder."""

    encoder: Literal["jepa"]
    """jepa: trained by prediction in embedding space."""
    seed: int = 0
    """Seed of weights, order, masks and augmentation."""
    steps: Annotated[int, Field(ge=10)] = 10_000
    """Optimizer steps, at least 10 so that the snapshots fall on different steps; steps * batch_size
    / training images = epochs."""
    batch_size: Annotated[int, Field(ge=2)] = 256
    """Images an optimizer step, over all ranks together."""
    model: Model
    """The encoder."""
    predictor: Predictor = Predictor()
    """The predictor."""
    masks: Masks = Masks()
    """What is hidden."""
    augment: Augment = Augment()
    """How images are varied."""
    objective: Objective = Objective()
    """What is minimised."""
    optimizer: Optimizer = Optimizer()
    """How."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Autocast type; auto = bf16 on GPUs that have it, fp32 elsewhere. fp16 scales the loss."""
    tf32: bool = False
    """Let GPUs multiply fp32 matrices in TF32: faster, about three decimal digits."""
    accumulate: Annotated[int, Field(ge=1)] = 1
    """Pieces a batch is computed in, to save memory; the gradient is the whole batch's, for the
    variance and covariance terms, too (at the price of a second forward pass)."""
    recompute: bool = False
    """Recompute each block's activations in the backward pass: less memory, about a third slower."""
    compile: bool = False
    """torch.compile each transformer block; worth it on GPUs."""
    shard: bool = False
    """Shard weights, gradients and optimizer state over the ranks (FSDP2) instead of copying them."""
    skip_limit: Annotated[int, Field(ge=1)] = 20
    """Steps in a row that may be skipped for NaN or infinity before training stops."""
    diverged: Annotated[float, Field(gt=1)] = 10.0
    """Training stops when the loss of a log interval exceeds this multiple of the first one's."""
    validate_every: Annotated[int, Field(ge=1)] = 500
    """Steps between validations: loss on val, effective rank, kNN where there are labels."""
    validation_samples: Annotated[int, Field(ge=16)] = 2048
    """Training samples (and val samples), at most, that a validation embeds."""
    select: Literal["last", "rank", "knn", "loss"] = "last"
    """The encoder that is exported: the last, or the best validation by effective rank, kNN or loss;
    validations that look collapsed never win. All the bests are in best.safetensors."""
    keep_checkpoints: Annotated[int, Field(ge=1)] = 2
    """Resume checkpoints kept, the newest first."""
    threads: Annotated[int, Field(ge=1)] = 2
    """CPU threads of one process; part of the settings because sums depend on it to the bit."""
    log_every: Annotated[int, Field(ge=1)] = 50
    """Steps averaged into one row of metrics.csv."""
    checkpoint_every: Annotated[int, Field(ge=1)] = 500
    """Steps between resume checkpoints."""

    @model_validator(mode="after")
    def _own_target_has_no_positions(self) -> "JepaTraining":
        if self.augment.target == "own" and self.objective.level == "tokens":
            raise ValueError(
                "augment.target: found own with objective.level tokens, expected same (hidden tokens "
                "are parts of the context's image) or objective.level pooled"
            )
        return self


class UntrainedEncoder(Settings):
    """Floor: the same architecture with its initial weights."""

    encoder: Literal["untrained"]
    """untrained: random initial weights."""
    seed: int = 0
    """Seed of the weights."""
    model: Model
    """The encoder."""


class PcaEncoder(Settings):
    """Floor: principal components of the pixels, fitted on the training part."""

    encoder: Literal["pca"]
    """pca: a linear code of the pixels."""
    dim: Annotated[int, Field(ge=1)]
    """Components kept; choose the trained encoder's dim for a fair comparison."""


class RawEncoder(Settings):
    """Floor: the normalised pixels themselves."""

    encoder: Literal["raw"]
    """raw: no encoder."""


Training = Annotated[
    JepaTraining | UntrainedEncoder | PcaEncoder | RawEncoder, Field(discriminator="encoder")
]
