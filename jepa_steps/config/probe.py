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
    """Inverse regularisation strengths that the logistic probe tries; the best is chosen on val."""
    knn_k: Annotated[int, Field(ge=1)] = 20
    """Number of neighbours of the weighted kNN (cosine similarity, temperature 0.07)."""
    few_labels: tuple[Annotated[int, Field(ge=1)], ...] = (1, 5, 10, 100)
    """Numbers of labels per class for the few-label probes. A number is left out if some class has fewer
    labels."""
    few_draws: Annotated[int, Field(ge=1)] = 10
    """Number of random label subsets for each of few_labels. Every experiment on a data set uses the
    same subsets."""
    attentive: bool = False
    """true: also train an attentive probe on the stored token embeddings. This takes seconds to
    minutes."""
    max_train: Annotated[int, Field(ge=10)] = 50_000
    """Largest number of training embeddings that the probes use."""
    bootstrap: Annotated[int, Field(ge=100)] = 2000
    """Number of bootstrap resamples of the test units behind each 95 % interval."""
    seed: int = 0
    """Seed of the label subsets and the resamples."""
