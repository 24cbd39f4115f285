"""What training asks of the machines it runs on, and whom it tells; no part of the result."""

from typing import Annotated, Literal

from pydantic import Field

from .base import Settings


class Resources(Settings):
    """Machines for one experiment's training. ``batch_size`` stays the global one, so that the same
    experiment runs on one CPU, one GPU or many nodes; changing this block trains nothing again."""

    nodes: Annotated[int, Field(ge=1)] = 1
    """Nodes of a cluster."""
    gpus: Annotated[int, Field(ge=0)] = 0
    """GPUs per node, one process each; 0 = one process per node that asks for none. Outside a cluster
    training takes GPUs that no other training holds, at most nodes * gpus; with 0 one, where there is
    one. GPUs that are asked for and cannot be used are an error."""
    mem_mb: Annotated[int, Field(ge=100)] = 4000
    """Memory of a node, MB; a cluster job that failed is tried again with twice, then 3 times this."""
    runtime: Annotated[int, Field(ge=1)] = 240
    """Minutes until a cluster ends the job, and as much again at each new try; training that is not
    finished by then saves a checkpoint and queues itself again."""
    local_disk: str | None = None
    """A folder on each node's own disk, such as $TMPDIR, to which prepared data are copied before
    training; null = they are read where they are."""
    loggers: tuple[Literal["wandb", "mlflow"], ...] = ()
    """Where metrics go besides TensorBoard: Weights & Biases, MLflow (extras of the package). Nothing is
    sent to what is not named here."""
