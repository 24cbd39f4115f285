"""Settings of the step monitor."""

from typing import Annotated

from pydantic import Field

from .base import Settings, Share


class Monitor(Settings):
    """Thresholds of the verdict; each is a scale-free number."""

    position_share: Share = 0.95
    """Positional collapse: share of token variance explained by position alone. Seven sound
    digits runs: .2 to .5; an encoder that ignores its input: 1."""
    time_share: Share = 0.02
    """Temporal collapse, of series: share of the token variance beside position that lies within
    samples. Four short sound runs: .22 to .68; planted: .0003."""
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
    persistence_ratio: Annotated[float, Field(gt=0)] = 0.95
    """Persistence, of series whose future is predicted: distance of predictions from what they predict,
    over the distance of the last embedding of the past. Not set by sound runs: no predictor has been
    seen that is much nearer."""
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
