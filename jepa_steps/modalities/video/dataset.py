"""Settings of data sets of videos."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from ...config.base import Settings, Share, captures_once
from ...config.beside import TableBeside
from ...config.split import Split

Side = Annotated[int, Field(ge=4, le=4096)]
Size = Annotated[tuple[Side, Side], BeforeValidator(lambda v: (v, v) if isinstance(v, int) else v)]


class VideoKeys(Settings):
    """Names of the columns of a table with a header. null = find the column by the usual names, and
    print which; none = do without. A table without a header has two columns, path and label."""

    path: str | None = None
    """File of a video, from the table's folder: path, video, file, filename or video_path."""
    label: str | None = None
    """What a video shows: label, class, target or action."""
    group: str | None = None
    """The unit that never crosses splits: group, subject, patient, participant, animal, scene or
    site."""
    split: str | None = None
    """Given part of a video, train, val or test: split, part or fold."""


class VideoDataset(TableBeside):
    """Videos: decoded once, resized, stored as uint8. A sample is a clip, a number of consecutive frames
    of one video."""

    OWN_COLUMNS: ClassVar[tuple[str, ...]] = ("table", "arrays")
    NO_TABLE: ClassVar[tuple[str, ...]] = ("table", "arrays", "moving-digits")

    source: Literal["folder", "table", "frames", "arrays", "moving-digits"]
    """folder: class folders of video files (.mp4, .avi, .webm, .mov, .mkv, .m4v, .mpg, .gif), or files
    without labels; train/, val/ and test/ at the top are given parts. table: a .csv, .tsv or
    space-separated file of paths and labels, with or without a header. frames: as folder, with a folder
    of image files in place of each video, in the order of their names. arrays: .npz or .npy of shape
    (N, T, H, W) or (N, T, H, W, C), uint8; an .npz holds the videos as x, videos or clips, beside them
    labels or y, groups, split (train, val or test) and those that targets and nuisances name, one value
    per video; or it holds x_train, y_train, x_test, y_test and, where there are, x_val and y_val.
    moving-digits: scikit-learn's digits moving over textures, generated."""
    path: str
    """File or folder to read; for moving-digits, the data card."""
    videos: Annotated[int, Field(ge=30, le=100_000)] | None = None
    """How many videos are generated; only for source moving-digits. Videos of one of the 1,797 digit
    images are a group."""
    keys: VideoKeys = VideoKeys()
    """Names of the columns of a table."""
    image_size: Size
    """Height and width of a frame in pixels, [H, W]; a single number is both."""
    resize: Literal["crop", "stretch"] = "crop"
    """How frames of another shape become H x W. crop: resize until they cover it, then cut the centre.
    stretch: change the ratio of the sides."""
    channels: Literal[1, 3] = 3
    """1 = grey, 3 = RGB."""
    frame_rate: Annotated[float, Field(gt=0, le=1000)] | None = None
    """Frames per second: at each time of this rate, the frame that is shown then is taken, by its time
    stamp. null = every frame as it was stored, whatever the times between; prepare prints the rates that
    it found."""
    clip_length: Annotated[int, Field(ge=1, le=1024)]
    """Frames of a clip."""
    clip_stride: Annotated[int, Field(ge=1)] | None = None
    """Frames from one clip of a video to the next; null = clip_length, so that clips do not overlap."""
    max_frames: Annotated[int, Field(ge=1)] | None = None
    """Frames taken of a video at most, from its beginning; null = all."""
    on_short: Literal["fail", "drop", "repeat"] = "fail"
    """A video with fewer frames than a clip: stop and name it, leave it out and list it in the manifest,
    or repeat its last frame and count such videos in the report."""
    on_error: Literal["fail", "skip"] = "fail"
    """A video that is empty or cannot be decoded: stop and name it, or leave it out and list it in the
    manifest."""
    max_skipped: Share = 0.01
    """With on_error skip: the share of videos that may be left out before prepare stops anyway."""
    on_copies: Literal["fail", "drop", "keep"] = "fail"
    """A video of val or test that has a clip equal to one of an earlier part, pixel by pixel after
    resizing: stop, leave the video out, or keep it and say so with every result."""
    groups: str | None = None
    """The unit that never crosses splits (patient, scene, camera), for sources folder and frames: a
    regular expression whose one capture group finds it in a video's path below path. An .npz brings its
    own as array groups, one per video; group takes a column of the table beside the folder instead.
    Without groups, each video is its own."""
    split: Split = Split()
    """How videos, or groups of them, are divided into train, val and test."""

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
