"""Settings of data sets."""

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Settings, Share


class Split(Settings):
    """Stratified random split; given splits (train/, test/ folders, IDX files) win over it."""

    val: Share = 0.15
    """Share of all samples (of the given training part, if there is one) used to choose settings."""
    test: Share = 0.15
    """Share of all samples used once, to report; ignored when the source brings a test part."""
    seed: int = 0
    """Seed of the shuffle."""

    @model_validator(mode="after")
    def _leaves_training_data(self) -> "Split":
        if self.val <= 0 or self.test <= 0 or self.val + self.test >= 0.9:
            raise ValueError(
                f"val {self.val:g} and test {self.test:g}: expected both above 0 and a sum below 0.9"
            )
        return self


class ImageDataset(Settings):
    """Images: decoded once, resized, stored as uint8."""

    source: Literal["digits", "folder", "npz", "idx", "torchvision"]
    """digits: scikit-learn's 8x8 digits. folder: class folders, or images without labels; train/,
    val/, test/ at the top are taken as given splits. npz: arrays x_train/y_train/x_test/y_test,
    train_images/train_labels/..., or images/labels. idx: MNIST-family files, .gz too.
    torchvision: a data set class by name."""
    path: str
    """File or folder to read. For the embedded digits, its data card; for torchvision, its root."""
    torchvision_class: str | None = None
    """Class in torchvision.datasets, e.g. CIFAR10; only for source torchvision."""
    download: bool = False
    """Let torchvision download what is missing under path."""
    image_size: Annotated[int, Field(ge=2, le=4096)]
    """Side in pixels: the shorter side is resized to it (bicubic, antialiased), then the centre is
    cropped."""
    channels: Literal[1, 3] = 3
    """1 = grey, 3 = RGB. Transparency is composed over white, 16-bit grey is scaled to 8 bit."""
    split: Split = Split()
    """How samples are divided into train, val and test."""
    groups: str | None = None
    """The unit that never crosses splits (donor, scene, recording), for source folder: a regular
    expression whose one capture group finds it in a file's path below path, e.g. "(donor[0-9]+)_".
    An npz brings its own as array groups, one an image. Split shares then count groups."""
    on_error: Literal["fail", "skip"] = "fail"
    """An unreadable image: stop and name it, or leave it out and list it in the manifest."""
    max_skipped: Share = 0.001
    """With on_error skip: the share of files that may be left out before prepare stops anyway."""
    max_pixels: Annotated[int, Field(gt=0)] = 89_478_485
    """Images with more pixels are refused before decoding (decompression bombs); Pillow's limit."""

    @model_validator(mode="after")
    def _torchvision_names_a_class(self) -> "ImageDataset":
        if (self.source == "torchvision") != (self.torchvision_class is not None):
            raise ValueError("torchvision_class belongs to source torchvision, and only to it")
        return self

    @model_validator(mode="after")
    def _groups_capture_once(self) -> "ImageDataset":
        if self.groups is None:
            return self
        if self.source != "folder":
            raise ValueError(f"groups belongs to source folder, found source {self.source}")
        try:
            captures = re.compile(self.groups).groups
        except re.error as error:
            raise ValueError(
                f"groups: found {self.groups!r}, not a regular expression: {error}"
            ) from None
        if captures != 1:
            raise ValueError(f"groups: found {captures} capture groups in {self.groups!r}, expected one")
        return self
