"""What training asks of the machines it runs on, and whom it tells; no part of the result."""

from typing import Annotated, Literal

from pydantic import Field

from .base import Settings


class Resources(Settings):
    """Machines for one experiment's training. ``batch_size`` is the global batch, so that the same
    experiment runs on one CPU, one GPU or many nodes. Changing this block trains nothing again."""

    nodes: Annotated[int, Field(ge=1)] = 1
    """Nodes of a cluster."""
    gpus: Annotated[int, Field(ge=0)] = 0
    """GPUs per node, with one process each. 0 = one process per node, which requests no GPU. Outside a
    cluster, training takes GPUs that no other training holds, at most nodes * gpus. With 0 it takes one
    GPU where there is one. If requested GPUs cannot be used, training stops with an error."""
    mem_mb: Annotated[int, Field(ge=100)] = 4000
    """Memory per node in MB. A cluster job that failed is tried again with twice this, then with three
    times this."""
    runtime: Annotated[int, Field(ge=1)] = 240
    """Minutes until a cluster ends the job; each new try gets as many minutes more. Training that has
    not finished by then saves a checkpoint and queues itself again."""
    local_disk: str | None = None
    """Folder on each node's own disk, such as $TMPDIR. Prepared data are copied there before training.
    null = data are read where they are."""
    loggers: tuple[Literal["wandb", "mlflow"], ...] = ()
    """Services that receive metrics besides TensorBoard: Weights & Biases, MLflow (extras of the
    package). Services that are not named here receive nothing."""
