"""Settings that every training by prediction has, whatever it is trained on."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from .base import Settings
from .objective import Objective, Optimizer


class JepaRun(Settings):
    """How long, how often, with which numbers."""

    kind: ClassVar[str] = "jepa"

    encoder: str
    """What is trained. Each kind of data has its own name for it."""
    seed: int = 0
    """Seed of the weights and of everything that training draws at random."""
    init: str | None = None
    """Folder of an encoder from whose weights training starts, instead of random weights. It is a folder
    that train wrote (results/train/NAME) or, for images, an IJepaModel that transformers saved. model
    must describe the architecture of that encoder. Pixels are normalised as they were for it. If its
    grid of tokens differs, position codes are interpolated. Only the encoder is taken; the predictor
    starts with random weights. The floor to compare with is an untrained encoder with the same init."""
    steps: Annotated[int, Field(ge=0)] = 10_000
    """Optimizer steps; at least 10, so that the snapshots fall on different steps. Epochs = steps *
    batch_size / training samples. 0 needs init: the encoder of init is used as it is."""
    batch_size: Annotated[int, Field(ge=2)] = 256
    """Samples per optimizer step, over all processes together."""
    objective: Objective = Objective()
    """What is minimised."""
    optimizer: Optimizer = Optimizer()
    """How it is minimised."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Data type of autocast: auto, fp32, bf16 or fp16. auto = bf16 on GPUs that have it, fp32 elsewhere.
    With fp16 the loss is scaled."""
    tf32: bool = False
    """true: multiply fp32 matrices in TF32 on GPUs. This is faster but keeps only about three decimal
    digits."""
    deterministic: bool = False
    """true: on GPUs, use kernels that sum in a fixed order. A run that is repeated or resumed on the
    same type of GPU then gives the same bytes, but is slower. On CPUs a run always gives the same
    bytes."""
    accumulate: Annotated[int, Field(ge=1)] = 1
    """Number of pieces that a batch is divided into. They are computed one after another to save memory.
    The gradient is still that of the whole batch, also for the terms of vicreg and sigreg (these cost a
    second forward pass)."""
    recompute: bool = False
    """true: compute each block's activations again in the backward pass. This saves memory and is about
    a third slower."""
    compile: bool = False
    """true: apply torch.compile to each transformer block. This pays off on GPUs."""
    shard: bool = False
    """true: shard weights, gradients and optimizer state over the processes (FSDP2) instead of copying
    them to each process."""
    skip_limit: Annotated[int, Field(ge=1)] = 20
    """Steps that give NaN or infinity are skipped. Training stops after this many of them in a row."""
    diverged: Annotated[float, Field(gt=1)] = 10.0
    """Training stops if the loss of a log interval is more than this many times the loss of the first
    interval."""
    stop_on: tuple[
        Literal["collapse", "positional collapse", "dimensional collapse", "rank-k collapse"], ...
    ] = ()
    """Verdicts that end training early, with exit code 76: collapse, positional collapse, dimensional
    collapse, rank-k collapse. Training ends once 3 consecutive rows of metrics.csv show one of those
    listed. The first tenth of the steps does not count. The monitor's default thresholds apply."""
    validate_every: Annotated[int, Field(ge=1)] = 500
    """Steps between validations. A validation measures the loss on val, the effective rank and, if all
    its samples have labels, kNN accuracy."""
    validation_samples: Annotated[int, Field(ge=16)] = 2048
    """Largest number of train samples, and of val samples, that a validation embeds. For the effective
    rank it embeds at least 10 train samples per dimension of the encoder, if train has that many. With
    fewer than 4 per dimension no rank is given."""
    select: Literal["last", "rank", "knn", "loss"] = "last"
    """Which encoder is exported. last: that of the last step. rank, knn, loss: the one whose validation
    has the best effective rank, kNN accuracy or loss. A validation that looks collapsed is never chosen.
    Whatever you choose, best.safetensors holds the best encoder by each of these three."""
    keep_checkpoints: Annotated[int, Field(ge=1)] = 2
    """Number of checkpoints to keep for resuming; older ones are deleted."""
    threads: Annotated[int, Field(ge=1)] = 2
    """CPU threads per process. This is a setting because the last bits of a sum depend on their
    number."""
    log_every: Annotated[int, Field(ge=1)] = 50
    """Steps that are averaged into one row of metrics.csv."""
    watch_every: Annotated[int, Field(ge=1)] = 5
    """Steps between measurements of the batch's embeddings. metrics.csv holds the statistics."""
    checkpoint_every: Annotated[int, Field(ge=1)] = 500
    """Steps between checkpoints for resuming."""

    @model_validator(mode="after")
    def _takes_enough_steps(self) -> Self:
        if self.steps < 10 and not (self.steps == 0 and self.init):
            raise ValueError(f"steps: found {self.steps}, expected at least 10, or 0 with init")
        return self
