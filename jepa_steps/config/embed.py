"""Settings of the step embed."""

from typing import Annotated, Literal

from pydantic import Field

from .base import Settings

POOLING = r"(mean|max|class|concat|slices|last[1-9]\d?)"


class Embed(Settings):
    """From samples to stored embeddings."""

    pooling: Literal["mean", "max", "class"] = "mean"
    """How token embeddings become one embedding per sample. class: the class token, which some published
    encoders have."""
    poolings: tuple[Annotated[str, Field(pattern=f"^(online-)?{POOLING}$")], ...] = ()
    """Further ways, among which the probe chooses on val: max; class (left out where there is none);
    concat (all tokens, one after another);
    slices (means over all axes of the grid but the first, side by side: of clips, one for each time);
    last4 or another number (token means of the last four blocks, side by side; of all blocks where there
    are fewer). Floors of one vector have none. online-mean and the like: the same of the encoder
    that saw the context, where the exported one is its moving average (kind ema_target); published work
    finds the one better for some questions and the other for others."""
    batch_size: Annotated[int, Field(ge=1)] = 512
    """Samples per forward pass; no influence on the result beyond rounding."""
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
