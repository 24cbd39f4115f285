"""Settings of the step monitor."""

from typing import Annotated

from pydantic import Field

from .base import Settings, Share


class Monitor(Settings):
    """Thresholds of the verdicts. None of them depends on the scale of the embeddings."""

    position_share: Share = 0.95
    """Positional collapse: highest allowed share of the token variance that position alone explains.
    Seven sound digits runs: .2 to .5. An encoder that ignores its input: 1."""
    time_share: Share = 0.02
    """Temporal collapse, of series and videos: lowest allowed share of the token variance that lies
    within samples, over time. Variance that position explains is not counted. Four short sound runs: .22
    to .68. A run with this fault built in: .0003."""
    rank_share: Share = 0.05
    """Dimensional collapse: lowest allowed effective rank of the pooled embeddings, divided by the
    number of directions that they can span. Sound runs: .3 to .5."""
    subspace_share: Share = 0.5
    """Rank-k collapse: 99.999 % of the variance must take up more than this share of the directions. A
    spectrum that decays as a power law needs nearly all directions for that."""
    relative_spread: Share = 0.02
    """Collapse: lowest allowed spread of the pooled embeddings around their mean, divided by their root
    mean square norm. Sound runs: .5 to .9. Short runs no better than untrained: .06 to .5. Collapsed
    runs: .002 to .012."""
    correlation: Share = 0.75
    """High correlation: highest allowed absolute correlation of two dimensions, on average over all
    pairs. Sound runs: .25 to .34. Runs no better than untrained: .4 to .6. Collapsed runs: up to .9."""
    dead_share: Share = 0.25
    """Dead dimensions: highest allowed share of dimensions whose standard deviation is below a tenth of
    the median one. Sound runs: 0."""
    nuisance_share: Share = 0.2
    """Nuisance-dominated embeddings: highest allowed share of the variance that a group or nuisance
    explains among samples of one label. The verdict is given only if it also explains more than the
    label does."""
    condition_ratio: Share = 0.1
    """Condition ignored: lowest allowed ratio of two shares of variance. The first is the share that the
    condition explains in the predictions, the second the share that it explains in the targets."""
    persistence_ratio: Annotated[float, Field(gt=0)] = 0.95
    """Persistence, where the future is predicted: limit of the ratio of two distances to the embeddings
    of the future. The first is that of the predictions, the second that of the last embedding of the
    past. A ratio of this value or more gets the verdict. The limit does not come from sound runs: no
    predictor tested so far had a much lower ratio."""
    divergence: Annotated[float, Field(gt=1)] = 3.0
    """Divergence: highest allowed loss at the end, divided by the lowest loss. The verdict is given only
    if the final loss also exceeds the loss at the start. With a moving target, it must also exceed the
    loss of predicting zero."""
    loss_drop: Share = 0.02
    """No learning, on data without labels: share by which the loss must fall. On data with labels, a
    probe must instead beat the probe of the untrained encoder by one standard error."""
    overfitting: Annotated[float, Field(gt=1)] = 1.5
    """Overfitting: highest allowed factor by which the ratio of validation loss to training loss grows.
    Two sound runs of 400 epochs: 1.05 and 1.19."""
    batch: Annotated[int, Field(ge=2)] = 16
    """Small batch: fewest samples per batch for the terms of vicreg and sigreg. A standard deviation
    measured on 16 samples is off by 18 %."""
    steps: Annotated[int, Field(ge=1)] = 100
    """Under-trained: fewest optimizer steps. A warm-up takes more steps than this."""
    still_falling: Share = 0.1
    """Under-trained: highest allowed share of the loss's whole fall that happens in the last quarter of
    training. The verdict is given only if this fall also exceeds the noise of the loss. The sound digits
    run: .02."""
    initial_share: Share = 0.1
    """Under-trained: highest allowed weight of the initial encoder in the moving average at the end."""
