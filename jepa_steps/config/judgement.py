"""Settings of what follows training: embed, evaluate, monitor, rank, probe."""

from typing import Annotated, Literal

from pydantic import Field

from .base import Settings, Share


class Embed(Settings):
    """From images to stored embeddings."""

    pooling: Literal["mean", "max"] = "mean"
    """How token embeddings become one embedding a sample."""
    poolings: tuple[Annotated[str, Field(pattern=r"^(mean|max|concat|last[1-9]\d?)$")], ...] = ()
    """Further ways, among which the probe chooses on val: max; concat (all tokens, one after another);
    last4 or another number (token means of the last four blocks, side by side; of all blocks where
    there are fewer). Floors of one vector have none."""
    batch_size: Annotated[int, Field(ge=1)] = 512
    """Images a forward pass; no influence on the result beyond rounding."""
    token_samples: Annotated[int, Field(ge=2)] = 512
    """Samples of each part whose token embeddings are stored: the training ones for token
    statistics, all for the attentive probe."""
    snapshot_samples: Annotated[int, Field(ge=2)] = 1024
    """Samples of train and of val, at most, embedded by every snapshot, for statistics over training; of
    train at least 10 a dimension where there are so many, for the ranks. Below 4 there are none."""
    views: Annotated[int, Field(ge=2)] = 8
    """Context masks under which the same sample is embedded, for LiDAR and alignment: one hidden block
    of 30 to 50 % of the tokens, the same for every experiment."""
    view_samples: Annotated[int, Field(ge=2)] = 512
    """Training samples embedded under masks, by every snapshot; LiDAR of no more than dim is marked."""
    threads: Annotated[int, Field(ge=1)] = 2
    """CPU threads; part of the settings because sums depend on it to the bit."""


class Evaluate(Settings):
    """How predictions for held-out perturbations are judged; only experiments that predict have them."""

    controls: Annotated[int, Field(ge=1)] = 512
    """Control cells of a context, at most, whose predictions are averaged."""
    readout_cells: Annotated[int, Field(ge=16)] = 50_000
    """Training cells, at most, on which the readout from embeddings to expression is fitted."""
    halvings: Annotated[int, Field(ge=1)] = 20
    """Random halvings of a perturbation's test cells behind the ceiling."""
    cells: Annotated[int, Field(ge=2)] = 200
    """Cells of a perturbation, at most, in an energy distance, on 50 principal components."""
    bootstrap: Annotated[int, Field(ge=100)] = 2000
    """Resamples of the test perturbations behind each 95 % interval."""
    seed: int = 0
    """Seed of samples, halvings and resamples."""
    threads: Annotated[int, Field(ge=1)] = 1
    """CPU threads; part of the settings because sums depend on it to the bit."""


class Monitor(Settings):
    """Thresholds of the verdict; each is a scale-free number."""

    position_share: Share = 0.95
    """Positional collapse: share of token variance explained by position alone. Seven sound
    digits runs: .2 to .5; an encoder that ignores its input: 1."""
    rank_share: Share = 0.05
    """Dimensional collapse: effective rank of the pooled embeddings over the directions they can span.
    Sound: .3 to .5."""
    subspace_share: Share = 0.5
    """Rank-k collapse: share of the directions that hold 99.999 % of the variance. Spectra that decay
    as a power need nearly all of them."""
    relative_spread: Share = 0.02
    """Collapse: spread of the pooled embeddings around their mean over their root mean square. Sound:
    .5 to .9; short runs no better than untrained: .06 to .5; collapsed ones: .002 to .012."""
    correlation: Share = 0.75
    """High correlation: mean absolute correlation of two dimensions. Sound: .25 to .34;
    no better than untrained: .4 to .6; collapsed: up to .9."""
    dead_share: Share = 0.25
    """Dead dimensions: share of dimensions with std under a tenth of the median std. Sound: 0."""
    nuisance_share: Share = 0.2
    """Nuisance-dominated embeddings: variance that the group explains among samples of one label; it
    must also exceed what the label explains."""
    condition_ratio: Share = 0.1
    """Condition ignored: variance of predictions that the condition explains, over the same of the
    targets."""
    divergence: Annotated[float, Field(gt=1)] = 3.0
    """Divergence: loss at the end over its minimum; it must also exceed the loss at the start and, with
    a moving target, the loss of predicting zero."""
    loss_drop: Share = 0.02
    """No learning, without labels: share by which the loss must fall. With labels, a probe must beat
    the untrained encoder's by a standard error."""
    overfitting: Annotated[float, Field(gt=1)] = 1.5
    """Overfitting: growth of validation over training loss. Two sound runs of 400 epochs: 1.05, 1.19."""
    batch: Annotated[int, Field(ge=2)] = 16
    """Small batch: samples that the terms of vicreg and sigreg need; on 16, a std is off by 18 %."""
    steps: Annotated[int, Field(ge=1)] = 100
    """Under-trained: optimizer steps; fewer than a warm-up takes."""
    still_falling: Share = 0.1
    """Under-trained: the last quarter's share of the loss's whole fall, beyond its noise. The sound
    digits run: .02."""
    initial_share: Share = 0.1
    """Under-trained: weight of the initial encoder left in the moving average at the end."""


class Rank(Settings):
    """Rank analysis of the embedding matrix."""

    samples: Annotated[int, Field(ge=16)] = 25_600
    """Training embeddings used, at most; 25,600 in the RankMe paper. Of tokens all go into the ranks,
    as many as this into the other measures."""
    pair_rows: Annotated[int, Field(ge=2)] = 8192
    """Uniformity is over all pairs up to this many rows (half a second), above over random pairs."""
    pairs: Annotated[int, Field(ge=1000)] = 200_000
    """Random pairs; their standard error is reported."""
    directions: Annotated[int, Field(ge=1)] = 256
    """Random directions of the SIGReg ratio."""


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
    """Inverse regularisation strengths swept on the validation part."""
    knn_k: Annotated[int, Field(ge=1)] = 20
    """Neighbours of the weighted kNN (cosine, temperature 0.07)."""
    few_labels: tuple[Annotated[int, Field(ge=1)], ...] = (1, 5, 10, 100)
    """Labels a class in the few-label probes; sizes a class cannot fill are left out."""
    few_draws: Annotated[int, Field(ge=1)] = 10
    """Random label subsets for each size; the same ones for every experiment on a data set."""
    attentive: bool = False
    """Also train an attentive probe on the stored token embeddings; a few seconds to minutes."""
    max_train: Annotated[int, Field(ge=10)] = 50_000
    """Training embeddings used by the probes, at most."""
    bootstrap: Annotated[int, Field(ge=100)] = 2000
    """Resamples of the test groups behind each 95 % interval."""
    seed: int = 0
    """Seed of subsets and resamples."""
