"""Settings that every training by prediction has, whatever it is trained on."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from .base import Settings
from .objective import Objective, Optimizer


class JepaRun(Settings):
    """How long, how often, with which numbers."""

    kind: ClassVar[str] = "jepa"

    encoder: str
    """Name of what is trained; each kind of data has its own."""
    seed: int = 0
    """Seed of weights and of everything that is drawn in training."""
    init: str | None = None
    """Folder whose encoder training begins from, instead of random weights: one that train wrote
    (results/train/NAME), or, for images, an IJepaModel that transformers saved. model must be its
    architecture. Pixels are normalised as the start's were. Position codes are interpolated where the
    grid of tokens is another. Only the encoder is taken; the predictor begins anew. Its floor is an
    untrained encoder with the same init."""
    steps: Annotated[int, Field(ge=0)] = 10_000
    """Optimizer steps, at least 10 so that the snapshots fall on different steps; steps * batch_size
    / training samples = epochs. 0, with init: the start as it is."""
    batch_size: Annotated[int, Field(ge=2)] = 256
    """Samples an optimizer step, over all ranks together."""
    objective: Objective = Objective()
    """What is minimised."""
    optimizer: Optimizer = Optimizer()
    """How."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Autocast type; auto = bf16 on GPUs that have it, fp32 elsewhere. fp16 scales the loss."""
    tf32: bool = False
    """Let GPUs multiply fp32 matrices in TF32: faster, about three decimal digits."""
    deterministic: bool = False
    """On GPUs, take kernels that sum in a fixed order: a run repeated or resumed on the same type of
    card then gives the same bytes, more slowly. On CPUs it always does."""
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
    stop_on: tuple[
        Literal["collapse", "positional collapse", "dimensional collapse", "rank-k collapse"], ...
    ] = ()
    """Verdicts that end training, with exit code 76, once 3 rows of metrics.csv in a row show them
    after a tenth of the steps; the monitor's default thresholds hold."""
    validate_every: Annotated[int, Field(ge=1)] = 500
    """Steps between validations: loss on val, effective rank, kNN where there are labels."""
    validation_samples: Annotated[int, Field(ge=16)] = 2048
    """Training samples (and val samples), at most, that a validation embeds; of training at least 10 a
    dimension of the encoder where there are so many, for the rank. Below 4 there is none."""
    select: Literal["last", "rank", "knn", "loss"] = "last"
    """The encoder that is exported: the last, or the best validation by effective rank, kNN or loss;
    validations that look collapsed never win. All the bests are in best.safetensors."""
    keep_checkpoints: Annotated[int, Field(ge=1)] = 2
    """Resume checkpoints kept, the newest first."""
    threads: Annotated[int, Field(ge=1)] = 2
    """CPU threads of one process; part of the settings because sums depend on it to the bit."""
    log_every: Annotated[int, Field(ge=1)] = 50
    """Steps averaged into one row of metrics.csv."""
    watch_every: Annotated[int, Field(ge=1)] = 5
    """Steps between looks at the batch's embeddings, whose statistics are in metrics.csv."""
    checkpoint_every: Annotated[int, Field(ge=1)] = 500
    """Steps between resume checkpoints."""

    @model_validator(mode="after")
    def _takes_enough_steps(self) -> Self:
        if self.steps < 10 and not (self.steps == 0 and self.init):
            raise ValueError(f"steps: found {self.steps}, expected at least 10, or 0 with init")
        return self
