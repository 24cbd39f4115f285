"""Settings of data sets of videos."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from ...config.base import Settings, Share, captures_once
from ...config.beside import TableBeside
from ...config.split import Split

Side = Annotated[int, Field(ge=4, le=4096)]
Size = Annotated[tuple[Side, Side], BeforeValidator(lambda v: (v, v) if isinstance(v, int) else v)]


class VideoKeys(Settings):
    """Names of the columns of a table with a header. null = look for a column with a usual name and
    print which was found. none = use no column. A table without a header has two columns, path and
    label."""

    path: str | None = None
    """Column with the file of a video, relative to the table's folder. Usual names: path, video, file,
    filename or video_path."""
    label: str | None = None
    """Column with the label of a video. Usual names: label, class, target or action."""
    group: str | None = None
    """Column with the group of a video. Usual names: group, subject, patient, participant, animal, scene
    or site."""
    split: str | None = None
    """Column with the given part of a video: train, val or test. Usual names: split, part or fold."""


class VideoDataset(TableBeside):
    """Videos: decoded once, resized and stored as uint8. A sample is a clip: a number of consecutive
    frames of one video."""

    OWN_COLUMNS: ClassVar[tuple[str, ...]] = ("table", "arrays")
    NO_TABLE: ClassVar[tuple[str, ...]] = ("table", "arrays", "moving-digits")

    source: Literal["folder", "table", "frames", "arrays", "moving-digits"]
    """folder: class folders of video files (.mp4, .avi, .webm, .mov, .mkv, .m4v, .mpg, .gif), or video
    files without labels; folders train/, val/ and test/ at the top are given parts. table: a .csv, .tsv
    or space-separated file of paths and labels, with or without a header. frames: like folder, but each
    video is a folder of image files, in the order of the numbers in their names. arrays: .npz or .npy of
    shape (N, T, H, W) or (N, T, H, W, C), uint8. An .npz holds the videos as x, videos or clips. It may
    also hold these arrays with one value per video: labels or y, groups, split (train, val or test), and
    those that targets and nuisances name. Or it holds x_train, y_train, x_test, y_test and optionally
    x_val and y_val. moving-digits: generated videos of scikit-learn's digits that move over textures."""
    path: str
    """File or folder to read. For moving-digits: the data card, a text file about the data."""
    videos: Annotated[int, Field(ge=30, le=100_000)] | None = None
    """Number of videos to generate; only for source moving-digits. Videos of the same digit image form a
    group; there are 1,797 images."""
    keys: VideoKeys = VideoKeys()
    """Names of the columns of a table."""
    image_size: Size
    """Height and width of a frame in pixels, [H, W]. A single number sets both."""
    resize: Literal["crop", "stretch"] = "crop"
    """How frames of another shape become H x W. crop: resize until the frame covers H x W, then crop the
    centre. stretch: change the aspect ratio."""
    channels: Literal[1, 3] = 3
    """1 = grey, 3 = RGB."""
    frame_rate: Annotated[float, Field(gt=0, le=1000)] | None = None
    """Frames per second to take. For each time at this rate, the frame that is shown at that time is
    taken, by its time stamp. null = every stored frame, whatever the times between frames; prepare
    prints the rates that it found."""
    clip_length: Annotated[int, Field(ge=1, le=1024)]
    """Frames per clip."""
    clip_stride: Annotated[int, Field(ge=1)] | None = None
    """Frames from the start of one clip to the start of the next. null = clip_length, so that clips do
    not overlap."""
    max_frames: Annotated[int, Field(ge=1)] | None = None
    """Largest number of frames to take from a video, from its beginning; null = all."""
    on_short: Literal["fail", "drop", "repeat"] = "fail"
    """What to do with a video that has fewer frames than a clip. fail: stop and name it. drop: leave it
    out and list it in the manifest. repeat: repeat its last frame; the report counts such videos."""
    on_error: Literal["fail", "skip"] = "fail"
    """What to do with a video that is empty or cannot be decoded. fail: stop and name it. skip: leave it
    out and list it in the manifest."""
    max_skipped: Share = 0.01
    """With on_error skip: largest share of the videos that may be left out. Above it, prepare stops."""
    on_copies: Literal["fail", "drop", "keep"] = "fail"
    """What to do with a video of val or test if one of its clips equals a clip of an earlier part, pixel
    by pixel after resizing. fail: stop. drop: leave the video out. keep: keep it, and say so with every
    result."""
    groups: str | None = None
    """For sources folder and frames: a regular expression with one capture group, which finds the group
    (patient, scene, camera) in a video's path relative to path. An .npz holds groups as its array
    groups, one per video. To take groups from a column of the table, set group instead. Without groups,
    each video is its own group."""
    split: Split = Split()
    """How videos, or groups of videos, are divided into train, val and test."""

    @model_validator(mode="after")
    def _fields_fit(self) -> "VideoDataset":
        if (self.source == "moving-digits") != (self.videos is not None):
            raise ValueError("videos belongs to source moving-digits, and only to it")
        if self.source in ("arrays", "moving-digits", "frames") and self.frame_rate is not None:
            raise ValueError(
                f"frame_rate: found {self.frame_rate:g} with source {self.source}, which tells no "
                "times; expected null"
            )
        if self.keys != VideoKeys() and self.source != "table":
            raise ValueError(f"keys: belongs to source table, found with source {self.source}")
        if self.max_frames is not None and self.max_frames < self.clip_length:
            raise ValueError(
                f"max_frames: found {self.max_frames}, expected at least clip_length {self.clip_length}"
            )
        return self

    @model_validator(mode="after")
    def _groups_capture_once(self) -> "VideoDataset":
        if self.groups is None:
            return self
        if self.source not in ("folder", "frames"):
            raise ValueError(f"groups: belongs to folder and frames, found source {self.source}")
        if self.group is not None:
            raise ValueError(f"groups: found {self.groups!r} beside group, expected one of the two")
        captures_once("groups", self.groups)
        return self

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(T, H, W, C) of a clip."""
        return (self.clip_length, *self.image_size, self.channels)


def plain(dataset: VideoDataset) -> dict[str, Any]:
    """The settings as the manifest holds them."""
    return dataset.model_dump(mode="json")
