"""Settings of encoders of videos, and of what they are trained to predict."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ...config.augment import Augment, fits_objective
from ...config.base import AttentionSettings, Range, Settings, Share, ordered
from ...config.floors import UntrainedEncoder, UntrainedModel
from ...config.predictor import Predictor, sized
from ...config.run import JepaRun


class VideoModel(AttentionSettings):
    """Tokenizer of tubelets, and transformer (V-JEPA)."""

    tubelet_length: Annotated[int, Field(ge=1)] = 2
    """Frames per tubelet. A tubelet is the block of pixels that becomes one token. clip_length must be a
    multiple of it."""
    patch_size: Annotated[int, Field(ge=1)]
    """Height and width of a tubelet in pixels. Both sides of image_size must be multiples of it."""
    dim: Annotated[int, Field(ge=8, multiple_of=4)] = 384
    """Embedding width D. It must be a multiple of 4 (for the position codes) and of heads."""
    depth: Annotated[int, Field(ge=1)] = 12
    """Transformer blocks of the encoder."""
    heads: Annotated[int, Field(ge=1)] = 6
    """Attention heads. A width per head, dim/heads, of 32 to 64 is fastest."""
    mlp_ratio: Annotated[float, Field(gt=0)] = 4.0
    """Hidden width of a block's MLP, divided by dim."""
    attention: Literal["joint", "frame"] = "joint"
    """Which tokens a token attends to. joint: those of all frames. frame: only those of its own time.
    With tubelet_length 1, frame makes an image encoder that is applied frame by frame and cannot compare
    two frames. It is a floor that shows what motion adds."""


class HiddenBlocks(Settings):
    """Blocks of tokens; their union is hidden."""

    blocks: Annotated[int, Field(ge=1, le=16)] = 8
    """Number of blocks."""
    scale: Range = (0.15, 0.15)
    """Share of height x width that each block covers, [low, high]."""
    first_blocks: Annotated[int, Field(ge=1, le=16)] | None = None
    """Curriculum: number of blocks at the first step; null = blocks."""
    first_scale: Range | None = None
    """Curriculum: scale at the first step; null = scale."""
    ramp: Share = 0.5
    """Curriculum: share of the steps after which the values of blocks and scale are reached."""

    @model_validator(mode="after")
    def _ranges(self) -> "HiddenBlocks":
        ordered("scale", self.scale, 0.95)
        if self.first_scale is not None:
            ordered("first_scale", self.first_scale, 0.95)
        return self


class VideoMasks(Settings):
    """Which tokens of a clip are hidden. With task masked, batches alternate: one hides the union of the
    short-range blocks, the next hides that of the long-range blocks."""

    short: HiddenBlocks = HiddenBlocks()
    """Short-range masks: many small blocks."""
    long: HiddenBlocks | None = HiddenBlocks(blocks=2, scale=(0.7, 0.7))
    """Long-range masks: few large blocks. With task masked, batches have short-range and long-range
    masks in turn. null = every batch has short-range masks."""
    time: Range = (1.0, 1.0)
    """Share of the clip's time that a block covers, [low, high]. Below 1, hidden content can often be
    copied from the frames before and after."""
    aspect: Range = (0.75, 1.5)
    """Height/width of a block, [low, high]."""
    min_context: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    """Smallest share of the tokens that should stay visible. A layout that leaves fewer is drawn
    again."""
    past: Range = (0.25, 0.75)
    """With task future: share of the time tokens that the context sees, [low, high]."""
    horizon: Annotated[int, Field(ge=1)] | None = None
    """With task future: number of time tokens after the past to predict, each separately. null = all of
    them."""
    first_horizon: Annotated[int, Field(ge=1)] | None = None
    """Curriculum of task future: horizon at the first step; null = horizon."""
    ramp: Share = 0.5
    """Curriculum of task future: share of the steps after which the value of horizon is reached."""

    @model_validator(mode="after")
    def _ranges(self) -> "VideoMasks":
        for name, most in (("time", 1.0), ("aspect", None), ("past", 0.95)):
            ordered(name, getattr(self, name), most)
        if self.first_horizon is not None and self.horizon is None:
            raise ValueError(f"first_horizon: found {self.first_horizon} without horizon, expected both")
        return self


class VideoJepa(JepaRun):
    """A JEPA of videos."""

    encoder: Literal["video-jepa"]
    """video-jepa: a JEPA, trained on clips by prediction in embedding space."""
    task: Literal["masked", "future"] = "masked"
    """What is predicted. masked: blocks that are hidden in all frames, from the visible tokens (V-JEPA).
    future: later frames, from earlier ones, at several horizons."""
    model: VideoModel
    """The encoder."""
    predictor: Predictor = Predictor()
    """The predictor."""
    masks: VideoMasks = VideoMasks()
    """Which tokens are hidden."""
    augment: Augment = Augment()
    """How clips are varied: all frames of a clip in the same way. A flip turns motion to the left into
    motion to the right."""

    @model_validator(mode="after")
    def _parts_fit(self) -> "VideoJepa":
        sized(self.predictor, self.model)
        if self.model.attention == "frame" and (self.task, self.masks.time) != ("masked", (1.0, 1.0)):
            raise ValueError(
                f"model.attention: found frame with task {self.task} and masks.time "
                f"{list(self.masks.time)}, expected task masked and time [1, 1]: every frame must see "
                "equally many tokens"
            )
        fits_objective(self.augment, self.objective)
        return self


class UntrainedVideo(UntrainedModel):
    """Floor: the same architecture with its initial weights."""

    encoder: Literal["video-untrained"]
    """video-untrained: random initial weights."""
    model: VideoModel
    """The encoder."""


class MeanFrame(UntrainedEncoder):
    """Floor: the pixels of the mean frame. It holds no information on the order of frames."""

    kind: ClassVar[str] = "mean frame"

    encoder: Literal["mean-frame"]
    """mean-frame: the mean of each pixel over time."""
    size: Annotated[int, Field(ge=1)] = 32
    """Largest length of the shorter side in pixels. Larger frames are averaged down to it."""


class FrameDifferences(UntrainedEncoder):
    """Floor: differences between the pixels of consecutive frames."""

    kind: ClassVar[str] = "frame differences"

    encoder: Literal["frame-differences"]
    """frame-differences: the difference of each frame from the one before it, and the mean over time of
    the absolute differences."""
    size: Annotated[int, Field(ge=1)] = 16
    """Largest length of the shorter side in pixels. Larger frames are averaged down to it."""
