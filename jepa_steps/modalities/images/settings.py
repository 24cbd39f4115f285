"""What a config can say of images: data sets, encoders that are trained on them, presets."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ...config.augment import ImageAugment, fits_objective
from ...config.base import AttentionSettings, Settings
from ...config.embed import POOLING
from ...config.evaluate import Evaluate as Evaluation
from ...config.floors import PcaEncoder, UntrainedModel
from ...config.given import PixelModule, PretrainedEncoder, UntrainedPretrained
from ...config.masks import Masks
from ...config.predictor import Predictor, sized
from ...config.run import JepaRun
from ...config.split import Split
from ...errors import InputError
from .dataset import ImageDataset


class Model(AttentionSettings):
    """Vision transformer."""

    patch_size: Annotated[int, Field(ge=1)]
    """Side of a patch in pixels; image_size must be a multiple of it."""
    dim: Annotated[int, Field(ge=4, multiple_of=4)] = 384
    """Embedding width D. It must be a multiple of 4 (for the position codes) and of heads."""
    depth: Annotated[int, Field(ge=1)] = 12
    """Transformer blocks of the encoder."""
    heads: Annotated[int, Field(ge=1)] = 6
    """Attention heads. A width per head, dim/heads, of 32 to 64 is fastest."""
    mlp_ratio: Annotated[float, Field(gt=0)] = 4.0
    """Hidden width of a block's MLP, divided by dim."""


class ImageJepa(JepaRun):
    """A JEPA of images."""

    encoder: Literal["jepa"]
    """jepa: a JEPA, trained on images by prediction in embedding space."""
    model: Model
    """The encoder."""
    predictor: Predictor = Predictor()
    """The predictor."""
    masks: Masks = Masks()
    """Which tokens are hidden."""
    augment: ImageAugment = ImageAugment()
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


class Evaluate(Evaluation):
    """How channels are taken away from images that are not pictures, to see which of them an encoder
    needs."""

    images: Annotated[int, Field(ge=16)] = 1000
    """Largest number of images per part for the table of channels. Each image is embedded without each
    channel, and with that channel alone. The images are evenly spaced over the part."""
    pooling: Annotated[str, Field(pattern=f"^{POOLING}$")] = "mean"
    """How token embeddings become one embedding: mean, max, concat, slices or lastK, with K the number
    of last blocks (see embed)."""


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
    "train.augment of images": ImageAugment,
    "train, floor: an untrained encoder of images": UntrainedImageEncoder,
    "evaluate of images": Evaluate,
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
    height, width = dataset.size
    if isinstance(train, PcaEncoder) and dataset.channels is not None:
        pixels = height * width * dataset.channels
        if train.dim > pixels:
            raise ValueError(f"train.dim: found {train.dim}, expected at most {pixels} pixels")
    if isinstance(train, ImageJepa | UntrainedImageEncoder):
        patch = train.model.patch_size
        if any(side % patch or side // patch < 2 for side in (height, width)):
            size = height if height == width else [height, width]
            raise ValueError(
                f"train.model.patch_size: found {patch}, expected a divisor of image_size {size} that "
                "leaves at least 2 patches per side"
            )
    if isinstance(train, ImageJepa):
        _colour_fits(train.augment, dataset.channels, dataset.dtype)
        if train.augment.quarter_turns and height != width:
            raise ValueError(
                f"train.augment.quarter_turns: found {train.augment.quarter_turns:g} with images of "
                f"{height} x {width}, expected 0: a quarter turn changes their shape"
            )


def fits_pixels(augment: ImageAugment, manifest: dict[str, Any]) -> None:
    """Whether an augmentation fits the images that were found; what ``check`` cannot know before.

    Raises:
        InputError: it does not.
    """
    channels, dtype = manifest["images"]["shape"][2], manifest["images"]["dtype"]
    if dtype == "uint8" and channels in (1, 3):
        return
    try:
        _colour_fits(augment, channels, dtype)
    except ValueError as error:
        raise InputError(str(error)) from None


def _colour_fits(augment: ImageAugment, channels: int | None, dtype: str | None) -> None:
    for name in ("brightness", "contrast", "saturation"):
        strength = getattr(augment, name)
        if not strength:
            continue
        what = "" if channels is None else f"{channels} channel(s)"
        if dtype not in (None, "uint8"):
            what = f"{dtype} values"
        elif channels in (None, 3) or (channels == 1 and name != "saturation"):
            continue
        instead = " (there is no colour to vary)" if channels == 1 else "; vary gain and noise instead"
        raise ValueError(f"train.augment.{name}: found {strength} with {what}, expected 0{instead}")
