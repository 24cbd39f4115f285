"""What a config can say of images: data sets, encoders that are trained on them, presets."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ...config.augment import Augment, fits_objective
from ...config.base import AttentionSettings, Settings, Share, captures_once
from ...config.beside import TableBeside
from ...config.evaluate import Evaluate as Evaluate
from ...config.floors import PcaEncoder, UntrainedModel
from ...config.given import PixelModule, PretrainedEncoder, UntrainedPretrained
from ...config.masks import Masks
from ...config.predictor import Predictor, sized
from ...config.run import JepaRun
from ...config.split import Split


class ImageDataset(TableBeside):
    """Images: decoded once, resized, stored as uint8."""

    OWN_COLUMNS: ClassVar[tuple[str, ...]] = ("npz",)

    source: Literal["digits", "folder", "npz", "idx", "torchvision"]
    """digits: scikit-learn's 8x8 digits. folder: class folders, or images without labels; train/, val/
    and test/ at the top are given parts. npz: the arrays x_train/y_train/x_test/y_test,
    train_images/train_labels/..., or images/labels; optionally names or ids, one per image, by which a
    table is matched. idx: files of the MNIST family, .gz too. torchvision: a data set class by name."""
    path: str
    """File or folder to read. For digits, which the package contains, its data card; for torchvision,
    its root."""
    torchvision_class: str | None = None
    """Class in torchvision.datasets, such as CIFAR10; only for source torchvision."""
    download: bool = False
    """Let torchvision download the files that are missing under path."""
    image_size: Annotated[int, Field(ge=2, le=4096)]
    """Side in pixels. The shorter side is resized to it (bicubic, antialiased), then the centre is
    cropped."""
    channels: Literal[1, 3] = 3
    """1 = grey, 3 = RGB. Transparency is composed over white; 16-bit grey is scaled to 8 bit."""
    split: Split = Split()
    """How samples are divided into train, val and test."""
    groups: str | None = None
    """The unit that never crosses parts (donor, scene, recording), for source folder: a regular
    expression with one capture group that matches in a file's path below path, such as "(donor[0-9]+)_".
    An npz holds groups as its array groups, one per image. To take groups from a column of the table,
    set group instead. With groups, the shares of split count groups."""
    on_error: Literal["fail", "skip"] = "fail"
    """What to do with an unreadable image. fail: stop and name it. skip: leave it out and list it in the
    manifest."""
    max_skipped: Share = 0.001
    """With on_error skip: share of the files above which prepare stops anyway."""
    on_copies: Literal["fail", "drop", "keep"] = "fail"
    """What to do with a val or test image whose pixels equal those of a training image, or a test image
    that equals a val image. Given parts may have such copies. fail: stop. drop: leave it out. keep: keep
    it, and say so with every result."""
    max_value: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Pixel value that is white; null = the full scale of the type, 255 or 65535. A 12-bit camera that
    writes 16-bit files needs 4095. prepare stops where data stay far below full scale."""
    max_pixels: Annotated[int, Field(gt=0)] = 89_478_485
    """Images with more pixels are refused before decoding (decompression bombs). The default is Pillow's
    limit."""

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
        if self.group is not None:
            raise ValueError(f"groups: found {self.groups!r} beside group, expected one of the two")
        captures_once("groups", self.groups)
        return self


class Model(AttentionSettings):
    """Vision transformer."""

    patch_size: Annotated[int, Field(ge=1)]
    """Side of a patch in pixels; image_size must be a multiple of it."""
    dim: Annotated[int, Field(ge=4, multiple_of=4)] = 384
    """Embedding width D; a multiple of 4 (position codes) and of heads."""
    depth: Annotated[int, Field(ge=1)] = 12
    """Transformer blocks of the encoder."""
    heads: Annotated[int, Field(ge=1)] = 6
    """Attention heads; dim/heads of 32 to 64 is fastest."""
    mlp_ratio: Annotated[float, Field(gt=0)] = 4.0
    """Hidden width of a block's MLP divided by dim."""


class ImageJepa(JepaRun):
    """A JEPA of images."""

    encoder: Literal["jepa"]
    """jepa: trained by prediction in embedding space, on images."""
    model: Model
    """The encoder."""
    predictor: Predictor = Predictor()
    """The predictor."""
    masks: Masks = Masks()
    """What is hidden."""
    augment: Augment = Augment()
    """How images are varied."""

    @model_validator(mode="after")
    def _parts_fit(self) -> "ImageJepa":
        sized(self.predictor, self.model)
        fits_objective(self.augment, self.objective)
        return self


class UntrainedImageEncoder(UntrainedModel):
    """Floor: the same architecture with its initial weights."""

    encoder: Literal["untrained"]
    """untrained: random initial weights."""
    model: Model
    """The encoder."""


Dataset = ImageDataset
ENCODERS = (ImageJepa, UntrainedImageEncoder, PretrainedEncoder, UntrainedPretrained, PixelModule)
PREPARE = {"threads": 8, "mem_mb": 4000}
FILES = ("images.npy", "splits.csv", "manifest.json")
BLOCKS = {
    "images.NAME": ImageDataset,
    "images.NAME.split": Split,
    "train: a JEPA of images": ImageJepa,
    "train.model of images": Model,
    "train.predictor of images": Predictor,
    "train.masks of images": Masks,
    "train.augment of images": Augment,
    "train, floor: an untrained encoder of images": UntrainedImageEncoder,
}
PRESETS: dict[str, dict[str, Any]] = {
    # Specification sections 2 and 3, image column.
    "ijepa-vitb": {
        "encoder": "jepa",
        "batch_size": 1024,
        "model": {"patch_size": 16, "dim": 768, "depth": 12, "heads": 12},
        "predictor": {"dim": 384, "depth": 6, "heads": 12},
        "augment": {"crop_scale": [0.3, 1.0], "crop_aspect": [0.75, 1.3333], "flip": 0.5},
    },
    "vicreg-vitb": {
        "encoder": "jepa",
        "batch_size": 1024,
        "model": {"patch_size": 16, "dim": 768, "depth": 12, "heads": 12},
        "predictor": {"dim": 384, "depth": 6, "heads": 12},
        "objective": {"kind": "vicreg"},
    },
    # A first try on one workstation GPU with images of 64 to 128 pixels.
    "ijepa-vits": {
        "encoder": "jepa",
        "model": {"patch_size": 8, "dim": 384, "depth": 12, "heads": 6},
        "predictor": {"dim": 192, "depth": 6, "heads": 6},
        "augment": {"crop_scale": [0.3, 1.0], "crop_aspect": [0.75, 1.3333], "flip": 0.5},
        "optimizer": {"lr": 0.0005},
    },
}


def sources(dataset: ImageDataset) -> dict[str, str]:
    """Paths that prepare reads, by the setting that names them."""
    return {"path": dataset.path} | ({"table": dataset.table} if dataset.table else {})


def check(dataset: ImageDataset, train: Settings) -> None:
    """Whether a training block can work on a data set.

    Raises:
        ValueError: it cannot; the text begins with the setting, below the experiment.
    """
    if isinstance(train, PcaEncoder):
        pixels = dataset.image_size**2 * dataset.channels
        if train.dim > pixels:
            raise ValueError(f"train.dim: found {train.dim}, expected at most {pixels} pixels")
    if isinstance(train, ImageJepa | UntrainedImageEncoder):
        size, patch = dataset.image_size, train.model.patch_size
        if size % patch or size // patch < 2:
            raise ValueError(
                f"train.model.patch_size: found {patch}, expected a divisor of image_size {size} that "
                "leaves at least 2 patches per side"
            )
    if isinstance(train, ImageJepa) and train.augment.saturation and dataset.channels != 3:
        raise ValueError(
            f"train.augment.saturation: found {train.augment.saturation} with {dataset.channels} "
            "channel(s), expected 0 (there is no colour to vary)"
        )
