"""Settings of data sets of images."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from ...config.base import Settings, Share, both, captures_once
from ...config.beside import TableBeside
from ...config.split import Split


def _sides(value: Any) -> Any:
    """A side or two; one message for all that is neither."""
    sides = [value, value] if isinstance(value, int) else value
    whole = isinstance(sides, list | tuple) and all(type(side) is int for side in sides)
    if not whole or len(sides) != 2 or not all(2 <= side <= 4096 for side in sides):
        shown = list(value) if isinstance(value, tuple) else value
        raise ValueError(f"found {shown!r}, expected a number of pixels from 2 to 4096, or two: [H, W]")
    return value if isinstance(value, int) else tuple(value)


_SIDE = {"type": "integer", "minimum": 2, "maximum": 4096}
Sides = Annotated[
    int | tuple[int, int],
    PlainValidator(_sides),
    WithJsonSchema({"anyOf": [_SIDE, {"type": "array", "items": _SIDE, "minItems": 2, "maxItems": 2}]}),
]
Dtype = Literal["uint8", "uint16", "float32"]


class Scientific(Settings):
    """Settings of images that are not 8-bit pictures: any channels, any depth, any rectangle."""

    dtype: Dtype | None = None
    """Type of the stored values. null = the type of the files, which must all have the same; prepare
    prints it. uint8: 16-bit files are scaled to 8 bit, by max_value. float32: signed and longer integers
    are taken as well, if float32 holds them exactly."""
    resize: Literal["crop", "pad", "stretch", "none"] = "crop"
    """How images of another size become image_size. crop: resize until the image covers it, then crop
    the centre. pad: resize until the image fits into it. The rest is NaN for float32; for other types it
    is no_data, or 0 without no_data. stretch: change the aspect ratio. none: refuse images of another
    size."""
    tile: Sides | None = None
    """Cut each image into tiles of this size in pixels, [H, W] or one number for both. All tiles of an
    image go into one part. Tiles are resized if their size is not image_size. Pixels at the right and
    lower edges that fill no tile are left out; prepare prints their share."""
    stride: Sides | None = None
    """Pixels from one tile to the next, [down, across]; null = tile, so that tiles do not overlap."""
    channel_pattern: str | None = None
    """For source folder with one file per channel: a regular expression with one capture group, which
    finds the channel's name in a file's path relative to path. An example is "-(ch[0-9]+)" for
    r01c02f03-ch1.tiff. Files whose paths differ only in this name form one image. Every image must have
    every channel."""
    channel_axis: Literal["first", "last"] | None = None
    """Which axis of an array with three axes holds the channels. null = the axis whose length is the
    setting channels; without that setting, the shortest axis. prepare prints the axis, and stops if it
    cannot decide."""
    channel_names: tuple[str, ...] | None = None
    """Names of the channels in order, for the report. null = the names that channel_pattern finds or
    that the files hold, else numbers from 1."""
    no_data: float | None = None
    """Value that means "not measured". null = the value that GeoTIFFs name. NaN always means it. Such
    values are 0 after normalisation, and statistics leave them out."""
    normalise: Literal["standard", "percentiles", "log"] = "standard"
    """How values are normalised for encoders; the stored values stay as they are. The statistics are per
    channel, over the training part. standard: subtract the mean, divide by the standard deviation.
    percentiles: the same, after values are cut to the range from the 1st to the 99th percentile. log:
    the same, after each value x is replaced by log(1 + x/s), where s is the 1st percentile of the
    positive values; for powers and intensities."""
    show: tuple[int | str, int | str, int | str] | None = None
    """The three channels that figures show as red, green and blue, by name or by number from 1. null =
    grey for one channel, true colours for pictures, else the first three principal components of the
    channels."""


class ImageDataset(TableBeside, Scientific):
    """Images: decoded once, resized, and stored with the values of their files."""

    OWN_COLUMNS: ClassVar[tuple[str, ...]] = ("npz",)

    source: Literal["digits", "folder", "npz", "npy", "idx", "torchvision"]
    """digits: scikit-learn's 8x8 digits. folder: class folders, or images without labels; folders
    train/, val/ and test/ at the top are given parts. Each file is a picture (PNG, JPEG, TIFF or another
    format that Pillow reads), a TIFF whose pages or planes are channels, a GeoTIFF, an .npy or .npz of
    one image, or a .zarr folder. npz: the arrays x_train/y_train/x_test/y_test,
    train_images/train_labels/..., or images/labels. It may also hold names or ids, one per image, by
    which a table is matched. npy: one array of images (n, H, W), (n, H, W, C) or (n, C, H, W), read in
    blocks; labels come from a table. idx: files in the format of MNIST, also as .gz. torchvision: the
    data set class that torchvision_class names."""
    path: str
    """File or folder to read. For digits, which come with scikit-learn: the data card, a text file about
    the data (config/cards/digits.md). For torchvision: the root folder of its data set."""
    torchvision_class: str | None = None
    """Name of a class in torchvision.datasets, such as CIFAR10; only for source torchvision."""
    download: bool = False
    """true: let torchvision download the files that are missing under path."""
    image_size: Sides
    """Height and width in pixels, [H, W]. A single number sets both."""
    channels: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Values per pixel. null = the number in the files, which must all have the same; prepare prints it.
    8-bit pictures become RGB with null or 3, and grey with 1. Transparent pixels are then composed over
    white."""
    split: Split = Split()
    """How samples are divided into train, val and test."""
    groups: str | None = None
    """For source folder: a regular expression with one capture group, which finds the group (donor,
    scene, recording) in a file's path relative to path, such as "(donor[0-9]+)_". An .npz holds groups
    as its array groups, one per image. To take groups from a column of the table, set group instead.
    With groups, the shares of split count groups, not images."""
    on_error: Literal["fail", "skip"] = "fail"
    """What to do with an unreadable image. fail: stop and name it. skip: leave it out and list it in the
    manifest."""
    max_skipped: Share = 0.001
    """With on_error skip: largest share of the files that may be left out. Above it, prepare stops."""
    on_copies: Literal["fail", "drop", "keep"] = "fail"
    """What to do with a val or test image whose pixels equal those of an image of an earlier part. This
    happens only with given parts, because the random split keeps equal images together. fail: stop.
    drop: leave the image out. keep: keep it, and say so with every result."""
    max_value: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Pixel value that becomes 255. Setting it implies dtype uint8. null with dtype uint8 = the full
    scale of the type, 255 or 65535. A 12-bit camera that writes 16-bit files needs 4095. prepare stops
    if the values stay far below full scale."""
    max_pixels: Annotated[int, Field(gt=0)] = 89_478_485
    """Images with more pixels are refused before they are decoded (protection against decompression
    bombs). The default is Pillow's limit."""

    @model_validator(mode="after")
    def _torchvision_names_a_class(self) -> "ImageDataset":
        if (self.source == "torchvision") != (self.torchvision_class is not None):
            raise ValueError("torchvision_class belongs to source torchvision, and only to it")
        return self

    @model_validator(mode="after")
    def _patterns_capture_once(self) -> "ImageDataset":
        for name in ("groups", "channel_pattern"):
            pattern = getattr(self, name)
            if pattern is None:
                continue
            if self.source != "folder":
                raise ValueError(f"{name} belongs to source folder, found source {self.source}")
            captures_once(name, pattern)
        if self.groups is not None and self.group is not None:
            raise ValueError(f"groups: found {self.groups!r} beside group, expected one of the two")
        return self

    @model_validator(mode="after")
    def _values_fit(self) -> "ImageDataset":
        if self.max_value is not None and self.dtype not in (None, "uint8"):
            raise ValueError(
                f"max_value: found {self.max_value} with dtype {self.dtype}, expected none: it scales "
                "to 8 bit"
            )
        if self.stride is not None and self.tile is None:
            raise ValueError(f"stride: found {self.stride} without tile; set tile, or remove it")
        return self

    @model_validator(mode="after")
    def _channels_fit(self) -> "ImageDataset":
        names = self.channel_names
        if names is not None and len(set(names)) < len(names):
            raise ValueError(f"channel_names: found {', '.join(names)}, expected each name once")
        if names is not None and self.channels not in (None, len(names)):
            raise ValueError(
                f"channel_names: found {len(names)} names for channels {self.channels}, expected equal"
            )
        return self

    @property
    def eight_bit(self) -> bool:
        """Whether more bits are to become 8."""
        return self.dtype == "uint8" or self.max_value is not None

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of a stored image."""
        return both(self.image_size)

    @property
    def tiling(self) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """((H, W) of a tile, pixels from one to the next down and across), None without tiles."""
        if self.tile is None:
            return None
        return both(self.tile), both(self.tile if self.stride is None else self.stride)
