"""The data set that is generated: moving digits."""

from functools import partial
from pathlib import Path

from ..dataset import VideoDataset
from . import moving_digits
from .source import Video, VideoSource

_SEED = 0  # the videos are the same whatever the seed of the split


def open_moving_digits(path: Path, dataset: VideoDataset) -> VideoSource:
    """Videos whose class is the direction and whose group is the digit image; axis, speed and digit are
    columns."""
    number = dataset.videos or 0
    told, groups = moving_digits.labels(number, _SEED), moving_digits.groups(number, _SEED)
    videos = [
        Video(
            f"moving-digits[{i}]",
            partial(moving_digits.video, i, number, _SEED),
            moving_digits.FRAMES,
            direction,
            groups[i],
            columns={name: told[name][i] for name in ("axis", "speed", "digit")},
        )
        for i, direction in enumerate(told["direction"])
    ]
    return VideoSource(path, videos, grouped="of digit images")
