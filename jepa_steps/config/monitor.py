"""Settings of the step monitor."""

from typing import Annotated

from pydantic import Field

from .base import Settings, Share


class Monitor(Settings):
    """Thresholds of the verdict. None of them depends on the scale of the embeddings."""

    position_share: Share = 0.95
    """Positional collapse: highest share of the token variance that position alone may explain. Seven
    sound digits runs: .2 to .5. An encoder that ignores its input: 1."""
    time_share: Share = 0.02
    """Temporal collapse, of series and videos: lowest share of the token variance that may lie within
    samples, over time. Variance that position explains is not counted. Four short sound runs: .22 to
    .68. A planted collapse: .0003."""
    rank_share: Share = 0.05
    """Dimensional collapse: lowest effective rank of the pooled embeddings, divided by the number of
    directions that they can span. Sound runs: .3 to .5."""
    subspace_share: Share = 0.5
    """Rank-k collapse: lowest share of the directions that may hold 99.999 % of the variance. A spectrum
    that decays as a power needs nearly all directions for that."""
    relative_spread: Share = 0.02
    """Collapse: lowest spread of the pooled embeddings around their mean, divided by their root mean
    square. Sound runs: .5 to .9. Short runs no better than untrained: .06 to .5. Collapsed runs: .002 to
    .012."""
    correlation: Share = 0.75
    """High correlation: highest mean absolute correlation of two dimensions. Sound runs: .25 to .34.
    Runs no better than untrained: .4 to .6. Collapsed runs: up to .9."""
    dead_share: Share = 0.25
    """Dead dimensions: highest share of dimensions with a standard deviation under a tenth of the median
    one. Sound runs: 0."""
    nuisance_share: Share = 0.2
    """Nuisance-dominated embeddings: highest share of the variance that the group may explain among
    samples of one label. The verdict is given only where the group also explains more than the label
    does."""
    condition_ratio: Share = 0.1
    """Condition ignored: the share of variance that the condition explains in the predictions, divided
    by the share it explains in the targets. Lower values get the verdict."""
    persistence_ratio: Annotated[float, Field(gt=0)] = 0.95
    """Persistence, where the future is predicted: distance between predictions and the future's
    embeddings, divided by the distance between the past's last embedding and the future's. Higher values
    get the verdict. This limit does not come from sound runs: no predictor tested so far was much
    nearer."""
    divergence: Annotated[float, Field(gt=1)] = 3.0
    """Divergence: highest loss at the end, divided by the lowest loss. The verdict is given only where
    the final loss also exceeds the loss at the start and, with a moving target, the loss of predicting
    zero."""
    loss_drop: Share = 0.02
    """No learning, where there are no labels: share by which the loss must fall. With labels, a probe
    must beat the untrained encoder's by one standard error instead."""
    overfitting: Annotated[float, Field(gt=1)] = 1.5
    """Overfitting: highest factor by which validation loss divided by training loss may grow. Two sound
    runs of 400 epochs: 1.05 and 1.19."""
    batch: Annotated[int, Field(ge=2)] = 16
    """Small batch: fewest samples for the terms of vicreg and sigreg. Measured on 16 samples, a standard
    deviation is off by 18 %."""
    steps: Annotated[int, Field(ge=1)] = 100
    """Under-trained: fewest optimizer steps; a warm-up takes more than this."""
    still_falling: Share = 0.1
    """Under-trained: highest share of the loss's whole fall that may happen in the last quarter. The
    fall must also exceed the loss's noise. The sound digits run: .02."""
    initial_share: Share = 0.1
    """Under-trained: highest weight that the initial encoder may have in the moving average at the
    end."""
