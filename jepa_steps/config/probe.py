"""Settings of the step probe."""

from typing import Annotated

from pydantic import Field

from .base import Settings


class Probe(Settings):
    """Linear probes and neighbours on frozen embeddings."""

    logistic_c: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (
        0.0001,
        0.001,
        0.003,
        0.01,
        0.03,
        0.1,
        0.3,
        1.0,
        10.0,
        100.0,
    )
    """Inverse regularisation strengths of the logistic probe; the best is chosen on val."""
    knn_k: Annotated[int, Field(ge=1)] = 20
    """Neighbours of the weighted kNN (cosine similarity, temperature 0.07)."""
    few_labels: tuple[Annotated[int, Field(ge=1)], ...] = (1, 5, 10, 100)
    """Labels per class in the few-label probes. A number that some class cannot fill is left out."""
    few_draws: Annotated[int, Field(ge=1)] = 10
    """Random label subsets per number of labels. They are the same for every experiment on a data
    set."""
    attentive: bool = False
    """Also train an attentive probe on the stored token embeddings. This takes seconds to minutes."""
    max_train: Annotated[int, Field(ge=10)] = 50_000
    """Largest number of training embeddings that the probes use."""
    bootstrap: Annotated[int, Field(ge=100)] = 2000
    """Bootstrap resamples of the test groups behind each 95 % interval."""
    seed: int = 0
    """Seed of the label subsets and the resamples."""
