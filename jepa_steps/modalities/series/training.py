"""Settings of encoders of time series, and of what they are trained to predict."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ...config.base import AttentionSettings, Range, Settings, Share, ordered
from ...config.floors import UntrainedEncoder, UntrainedModel
from ...config.objective import Objective
from ...config.predictor import Predictor, sized
from ...config.run import JepaRun


class SeriesModel(AttentionSettings):
    """Tokenizer of time steps, and transformer."""

    tokenizer: Literal["convolutions", "patches"] = "convolutions"
    """How time steps become tokens. patches: a token is a linear map of the values in a patch of time
    steps. convolutions: the outputs of random kernels with several dilations are averaged over the
    patch. A token is a linear map of these averages, plus a linear map of the values as in patches."""
    patch_length: Annotated[int, Field(ge=1)] | None = None
    """Time steps per token; the last token is padded. null = the shortest length with which a sample has
    at most 12 tokens."""
    channels: Literal["mixed", "separate"] = "mixed"
    """Which channels a token holds. mixed: all channels of its time steps. separate: each channel has
    its own tokens, and forecasts are fitted per channel, with the same weights for all channels."""
    kernels: Annotated[int, Field(ge=1)] = 512
    """Number of convolution kernels, over all dilations. They are not trained. Tokenizer patches has
    none."""
    dim: Annotated[int, Field(ge=4, multiple_of=4)] = 256
    """Embedding width D. It must be a multiple of 4 (for the position codes) and of heads."""
    depth: Annotated[int, Field(ge=0)] = 2
    """Transformer blocks of the encoder; 0 = the tokenizer alone."""
    heads: Annotated[int, Field(ge=1)] = 4
    """Attention heads."""
    mlp_ratio: Annotated[float, Field(gt=0)] = 4.0
    """Hidden width of a block's MLP, divided by dim."""
    final_norm: bool = True
    """true: apply LayerNorm at the end. false: with tokenizer patches and depth 0, tokens stay linear in
    the values, which forecasts need."""


class SeriesMasks(Settings):
    """Which tokens of a series are hidden, for the tasks masked and future."""

    blocks: Annotated[int, Field(ge=1, le=16)] = 4
    """Target blocks per sample. With task future, each begins at a random horizon."""
    scale: Range = (0.15, 0.25)
    """Share of the time tokens that a target block covers, [low, high]."""
    past: Range = (0.4, 0.6)
    """With task future: share of the time tokens that the context sees, [low, high]."""
    first_blocks: Annotated[int, Field(ge=1, le=16)] | None = None
    """Curriculum: number of target blocks at the first step; null = blocks."""
    first_scale: Range | None = None
    """Curriculum: scale at the first step; null = scale."""
    ramp: Share = 0.5
    """Curriculum: share of the steps after which the values of blocks and scale are reached."""

    @model_validator(mode="after")
    def _ranges(self) -> "SeriesMasks":
        ordered("scale", self.scale, 0.9)
        ordered("past", self.past, 0.9)
        return self


class SeriesAugment(Settings):
    """How a sample is varied for each of its two views, with task views."""

    crop_scale: Range = (0.8, 1.0)
    """Share of the time steps that a random crop keeps, [low, high]. The crop is resampled to the
    sample's length."""
    jitter: Annotated[float, Field(ge=0, le=4)] = 1.0
    """Largest standard deviation of normal noise that is added, as a multiple of the channel's roughness
    in the sample. Roughness is the standard deviation of a noise that changes as much from step to step
    as the channel does. Each view draws its own standard deviation, from 0 to this value. Noise of one
    size for all series would hide the shape of smooth ones."""
    drift: Annotated[float, Field(ge=0, le=2)] = 0.3
    """Largest size of a slow random curve that is added, in standard deviations of the channel. The
    curve consists of straight lines between six random normal numbers. Each view draws its own size,
    from 0 to this value."""
    scaling: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Each channel is multiplied by exp(x), x being a normal number with this standard deviation."""
    hidden: Share = 0.0
    """Share of a view's time tokens that the encoder does not see."""

    @model_validator(mode="after")
    def _ranges(self) -> "SeriesAugment":
        ordered("crop_scale", self.crop_scale, 1.0)
        return self


_VIEWS: dict[str, Any] = {
    "kind": "vicreg",
    "level": "pooled",
    "pooling": "mean+concat",
    "projector": 512,
}


class SeriesJepa(JepaRun):
    """A JEPA of time series."""

    encoder: Literal["series-jepa"]
    """series-jepa: a JEPA, trained on time series by prediction in embedding space."""
    task: Literal["views", "masked", "future"] = "views"
    """What is predicted. views: nothing is hidden; two variations of a sample should get the same pooled
    embedding. masked: hidden blocks of time, from the rest. future: later time, from earlier time, at
    several horizons."""
    model: SeriesModel = SeriesModel()
    """The encoder."""
    predictor: Predictor = Predictor()
    """The predictor; not used by task views."""
    masks: SeriesMasks = SeriesMasks()
    """Which tokens are hidden; not used by task views."""
    augment: SeriesAugment = SeriesAugment()
    """How samples are varied; used by task views only."""
    objective: Objective = Objective(**_VIEWS)
    """What is minimised. The default shown here is for task views; for the other tasks it is that of
    train.objective. If you set values of this block but not kind, they change the default of the task.
    If you set kind, the defaults of train.objective apply."""

    @model_validator(mode="before")
    @classmethod
    def _objective_of_the_task(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        own = value.get("objective") or {}
        if not isinstance(own, dict) or "kind" in own:
            return value
        default = _VIEWS if value.get("task", "views") == "views" else {}
        return {**value, "objective": {**default, **own}}

    @model_validator(mode="after")
    def _parts_fit(self) -> "SeriesJepa":
        predictor = sized(self.predictor, self.model)
        if self.task != "views" and not predictor.depth:
            raise ValueError(
                f"predictor.depth: found null with model.depth 0 and task {self.task}, expected 1 or "
                "more"
            )
        views, level = self.task == "views", self.objective.level
        if self.objective.pooling != "mean" and self.augment.hidden:
            raise ValueError(
                f"augment.hidden: found {self.augment.hidden:g} with objective.pooling "
                f"{self.objective.pooling}, expected 0: it takes all tokens"
            )
        if views != (level == "pooled"):
            raise ValueError(
                f"objective.level: found {level} with task {self.task}, expected "
                f"{'pooled' if views else 'tokens'}"
            )
        return self


class RandomConvolutions(UntrainedEncoder):
    """Floor: MiniRocket, the proportions of positive values of fixed convolution kernels."""

    kind: ClassVar[str] = "random convolutions"

    encoder: Literal["minirocket"]
    """minirocket: the embedding of MiniRocket, random convolutions; nothing is trained."""
    features: Annotated[int, Field(ge=84)] = 9996
    """Width of the embedding, rounded down to a multiple of the 84 kernels; the paper uses 9,996. Above
    4,096 dimensions, the steps monitor and rank measure only some of them, evenly spaced, at most
    2,048."""


class ChannelStatistics(UntrainedEncoder):
    """Floor: mean and standard deviation of each channel of a sample."""

    kind: ClassVar[str] = "channel statistics"

    encoder: Literal["statistics"]
    """statistics: mean and standard deviation of each channel of a sample; nothing about its course over
    time."""


class UntrainedSeries(UntrainedModel):
    """Floor: the same architecture with its initial weights."""

    encoder: Literal["series-untrained"]
    """series-untrained: random initial weights."""
    model: SeriesModel = SeriesModel()
    """The encoder."""
