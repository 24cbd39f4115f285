"""Settings of the step embed."""

from typing import Annotated, Literal

from pydantic import Field

from .base import Settings

POOLING = r"(mean|max|class|concat|slices|last[1-9]\d?)"


class Embed(Settings):
    """How samples become stored embeddings."""

    pooling: Literal["mean", "max", "class"] = "mean"
    """How the token embeddings of a sample become one embedding. mean: their mean. max: their maximum
    per dimension. class: the class token, which some published encoders have."""
    poolings: tuple[Annotated[str, Field(pattern=f"^(online-)?{POOLING}$")], ...] = ()
    """Further ways of pooling; the probe chooses the best on val. max: the maximum. class: the class
    token, left out where there is none. concat: all tokens, one after another. slices: for each place on
    the first axis of the grid, the mean over all other axes, side by side; for clips this is one mean
    per time. last4, or another number: token means of the last four blocks, side by side; of all blocks
    where there are fewer. Floors whose embedding is a single vector have no poolings. online-mean and
    the like: the same pooling of the encoder that saw the context, where the exported encoder is its
    moving average (kind ema_target). In published work, each of these two encoders is better for some
    questions."""
    batch_size: Annotated[int, Field(ge=1)] = 512
    """Samples per forward pass. It changes results by rounding only."""
    token_samples: Annotated[int, Field(ge=2)] = 512
    """Samples per part whose token embeddings are stored. Token statistics use those of the training
    part; the attentive probe uses those of all parts."""
    snapshot_samples: Annotated[int, Field(ge=2)] = 1024
    """Samples of train, and of val, that every snapshot embeds for statistics over training. For the
    ranks it embeds at least 10 training samples per embedding dimension, if train has that many. With
    fewer than 4 per dimension no ranks are given."""
    views: Annotated[int, Field(ge=2)] = 8
    """Context masks per sample for LiDAR and alignment: the same sample is embedded under each of them.
    A mask hides one block of 30 to 50 % of the tokens. The masks are the same for every experiment."""
    view_samples: Annotated[int, Field(ge=2)] = 512
    """Training samples that every snapshot embeds under masks. LiDAR needs more samples than the
    embedding has dimensions; the report marks it where there are too few."""
    threads: Annotated[int, Field(ge=1)] = 2
    """CPU threads. This is a setting because the last bits of a sum depend on it."""
