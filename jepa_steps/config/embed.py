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
    """Further poolings; the probe chooses the best on val. mean, max: as in pooling. class: the class
    token; left out if the encoder has none. concat: all tokens, one after another. slices: for each
    place on the first axis of the grid of tokens, the mean over all other axes; these means are put side
    by side. For clips this is one mean per time. last4, or another number: the token means of the last
    four blocks, side by side (of all blocks if there are fewer). With kind ema_target, the exported
    encoder is the moving average of the online encoder, which sees the context. online-mean and the like
    are the same poolings of the online encoder. In published work, each of these two encoders is better
    for some questions. Floors whose embedding is a single vector have no further poolings."""
    batch_size: Annotated[int, Field(ge=1)] = 512
    """Samples per forward pass. It changes results only by rounding."""
    token_samples: Annotated[int, Field(ge=2)] = 512
    """Samples per part whose token embeddings are stored. Statistics of tokens use those of the training
    part; the attentive probe uses those of all parts."""
    snapshot_samples: Annotated[int, Field(ge=2)] = 1024
    """Number of train samples, and of val samples, that every snapshot embeds for statistics over
    training. For ranks it embeds at least 10 train samples per embedding dimension, if train has that
    many. With fewer than 4 per dimension no ranks are given."""
    views: Annotated[int, Field(ge=2)] = 8
    """Views per sample, for LiDAR and alignment. Each view is the same sample under another mask, which
    hides one block of 30 to 50 % of the tokens. The masks are the same for every experiment. For
    expression, the views are different training cells of one condition and context."""
    view_samples: Annotated[int, Field(ge=2)] = 512
    """Number of training samples (for expression, of conditions) that every snapshot embeds as views.
    LiDAR needs more of them than the embedding has dimensions; the report marks it where there are too
    few."""
    threads: Annotated[int, Field(ge=1)] = 2
    """CPU threads. This is a setting because the last bits of a sum depend on their number."""
