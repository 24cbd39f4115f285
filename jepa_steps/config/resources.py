"""What training asks of the machines it runs on, and whom it tells; no part of the result."""

from typing import Annotated, Literal

from pydantic import Field

from .base import Settings


class Resources(Settings):
    """Machines for one experiment's training. ``batch_size`` is the global batch, so that the same
    experiment runs on one CPU, one GPU or many nodes. Changing this block trains nothing again."""

    nodes: Annotated[int, Field(ge=1)] = 1
    """Number of cluster nodes."""
    gpus: Annotated[int, Field(ge=0)] = 0
    """GPUs per node, with one process each. 0 = one process per node, for which no GPU is requested.
    Outside a cluster, training takes GPUs that no other training holds, at most nodes * gpus. With 0 it
    takes one GPU if there is one: a free one, else the first. If requested GPUs cannot be used, training
    stops with an error."""
    mem_mb: Annotated[int, Field(ge=100)] = 4000
    """Memory per node in MB. If a cluster job fails, it is tried again with twice this, then with three
    times this."""
    runtime: Annotated[int, Field(ge=1)] = 240
    """Minutes until a cluster ends the job. Each new try gets this many minutes more. Training that has
    not finished by then saves a checkpoint and queues itself again."""
    local_disk: str | None = None
    """Folder on each node's own disk, such as $TMPDIR. Prepared data are copied there before training.
    null = data are read from where they are."""
    loggers: tuple[Literal["wandb", "mlflow"], ...] = ()
    """Services that receive metrics besides TensorBoard: wandb (Weights & Biases), mlflow (MLflow). Both
    are extras of the package. Services that are not named here receive nothing."""
