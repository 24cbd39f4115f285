"""What a config can say of videos: data sets, encoders that are trained on them, presets."""

from typing import Annotated, Any

from pydantic import Field

from ...config.augment import Augment
from ...config.base import Settings
from ...config.embed import POOLING
from ...config.evaluate import Evaluate as Evaluation
from ...config.floors import PcaEncoder
from ...config.given import PixelModule, PretrainedEncoder, UntrainedPretrained
from ...config.predictor import Predictor
from ...config.split import Split
from ...errors import InputError
from .dataset import VideoDataset, VideoKeys
from .training import (
    FrameDifferences,
    HiddenBlocks,
    MeanFrame,
    UntrainedVideo,
    VideoJepa,
    VideoMasks,
    VideoModel,
)


class Evaluate(Evaluation):
    """How predicted frames, and the contribution of motion, are judged."""

    horizons: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Horizons, in time tokens ahead, at which predicted embeddings are compared with those of the real
    frames. Empty = 1, 2 and 4, as far as clips are long enough."""
    past: Annotated[int, Field(ge=2)] | None = None
    """Number of time tokens that predictions see. null = half of a clip's time tokens, but at least 2,
    because the baseline of linear extrapolation needs 2."""
    clips: Annotated[int, Field(ge=16)] = 4000
    """Largest number of clips per part that are embedded to judge predicted frames and motion. They are
    evenly spaced over the part."""
    pooling: Annotated[str, Field(pattern=f"^{POOLING}$")] = "mean"
    """How token embeddings become one embedding for the motion controls: mean, max, concat, slices or
    lastK, with K the number of last blocks (see embed)."""


Dataset = VideoDataset
ENCODERS = (VideoJepa, UntrainedVideo, MeanFrame, FrameDifferences)
ENCODERS += (PretrainedEncoder, UntrainedPretrained, PixelModule)
PREPARE = {"threads": 8, "mem_mb": 4000}
FILES = ("frames.npy", "videos.npy", "splits.csv", "manifest.json")
BLOCKS = {
    "video.NAME": VideoDataset,
    "video.NAME.keys": VideoKeys,
    "video.NAME.split": Split,
    "train: a JEPA of videos": VideoJepa,
    "train.model of videos": VideoModel,
    "train.predictor of videos": Predictor,
    "train.masks of videos": VideoMasks,
    "train.masks.short and train.masks.long of videos": HiddenBlocks,
    "train.augment of videos": Augment,
    "train, floor: an untrained encoder of videos": UntrainedVideo,
    "train, floor: the mean frame": MeanFrame,
    "train, floor: frame differences": FrameDifferences,
    "evaluate of videos": Evaluate,
}
PRESETS: dict[str, dict[str, Any]] = {
    # Small: V-JEPA's masks, target and distance on a ViT-S; 16 frames of 112 to 224 pixels, one GPU.
    "vjepa-vits": {
        "encoder": "video-jepa",
        "model": {"tubelet_length": 2, "patch_size": 16, "dim": 384, "depth": 12, "heads": 6},
        "predictor": {"dim": 192, "depth": 6, "heads": 6},
        "augment": {"crop_scale": [0.3, 1.0], "crop_aspect": [0.75, 1.35]},
        "objective": {"distance": "l1", "ema_momentum": [0.998, 1.0]},
        "optimizer": {"lr": 0.0005, "weight_decay": 0.04, "final_weight_decay": 0.4},
    },
    # For a CPU and clips of about 8 frames of 24 pixels: two crops of a clip get the same embedding;
    # tubelets of 4 frames see motion by themselves. Chosen on moving digits.
    "video-vicreg-tiny": {
        "encoder": "video-jepa",
        "steps": 900,
        "batch_size": 128,
        "model": {"tubelet_length": 4, "patch_size": 4, "dim": 64, "depth": 3, "heads": 2},
        "augment": {"target": "own", "crop_scale": [0.5, 1.0], "brightness": 0.3, "contrast": 0.3},
        "objective": {"kind": "vicreg", "level": "pooled", "projector": 256},
        "optimizer": {"lr": 0.002, "weight_decay": 0.0001},
        "validate_every": 300,
    },
}


def sources(dataset: VideoDataset) -> dict[str, str]:
    """Paths that prepare reads, by the setting that names them."""
    return {"path": dataset.path} | ({"table": dataset.table} if dataset.table else {})


def check_evaluate(dataset: VideoDataset, train: Settings, evaluate: Evaluate) -> None:
    """Whether what is predicted lies within a clip.

    Raises:
        InputError: it does not.
    """
    if isinstance(train, VideoJepa):
        horizons_of(evaluate, dataset.shape[0] // train.model.tubelet_length)


def horizons_of(settings: Evaluate, times: int) -> tuple[int, tuple[int, ...]]:
    """(times that predictions see, horizons) for clips of so many times; no horizons where clips are too
    short.

    Raises:
        InputError: a past or a horizon beyond the clip.
    """
    past = settings.past or max(2, times // 2)
    if settings.past and past >= times:
        raise InputError(f"evaluate.past: found {past}, expected less than the {times} times of a clip")
    if far := [h for h in settings.horizons if past + h > times]:
        raise InputError(
            f"evaluate.horizons: found {far[0]}, expected at most {times - past}: predictions see "
            f"{past} of the {times} times of a clip"
        )
    return past, settings.horizons or tuple(h for h in (1, 2, 4) if past + h <= times)


def check(dataset: VideoDataset, train: Settings) -> None:
    """Whether a training block can work on a data set.

    Raises:
        ValueError: it cannot; the text begins with the setting, below the experiment.
    """
    frames, height, width, channels = dataset.shape
    if isinstance(train, PcaEncoder) and train.dim > frames * height * width * channels:
        values = frames * height * width * channels
        raise ValueError(f"train.dim: found {train.dim}, expected at most {values} values of a clip")
    if isinstance(train, VideoJepa | UntrainedVideo):
        _tubelets_fit(train.model, frames, height, width)
    if not isinstance(train, VideoJepa):
        return
    times = frames // train.model.tubelet_length
    if train.task == "future" and times < 2:
        raise ValueError(
            f"train.task: found future with {frames} frame(s) of clip_length in tubelets of "
            f"{train.model.tubelet_length}, expected at least 2 times: there is no later one to predict"
        )
    if (
        train.task == "masked"
        and height * width == train.model.patch_size**2
        and (train.masks.time[1] == 1 or times == 1)
    ):
        raise ValueError(
            f"train.model.patch_size: found {train.model.patch_size}, expected less than image_size "
            f"[{height}, {width}]: what is hidden covers all frames, and would be everything"
        )
    if train.augment.saturation and channels != 3:
        raise ValueError(
            f"train.augment.saturation: found {train.augment.saturation} with {channels} channel(s), "
            "expected 0 (there is no colour to vary)"
        )


def _tubelets_fit(model: VideoModel, frames: int, height: int, width: int) -> None:
    if frames % model.tubelet_length:
        raise ValueError(
            f"train.model.tubelet_length: found {model.tubelet_length}, expected a divisor of "
            f"clip_length {frames}"
        )
    if height % model.patch_size or width % model.patch_size:
        raise ValueError(
            f"train.model.patch_size: found {model.patch_size}, expected a divisor of both sides of "
            f"image_size [{height}, {width}]"
        )
