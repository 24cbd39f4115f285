"""Settings of encoders that come from elsewhere: published weights, and modules of one's own."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from .base import Settings
from .floors import UntrainedEncoder


class PretrainedEncoder(Settings):
    """Published weights of images or clips, judged as an encoder that is trained here is."""

    kind: ClassVar[str] = "pretrained"

    encoder: Literal["pretrained"]
    """pretrained: a model of transformers or timm, with the preprocessing that its folder states."""
    path: str
    """Folder that save_pretrained of transformers, or timm's save_for_hf, wrote: config.json, weights as
    .safetensors and, for transformers, preprocessor_config.json. Nothing is downloaded, no pickle is
    read, and no code of the folder is run. Every key of the saved class must be there, and no other."""


class UntrainedPretrained(UntrainedEncoder):
    """Floor: the architecture of published weights with its library's initial weights."""

    encoder: Literal["pretrained-untrained"]
    """pretrained-untrained: random initial weights."""
    path: str
    """Folder of the published weights, of which config.json and the preprocessing are read."""


class ModuleEncoder(Settings):
    """A PyTorch module of one's own, judged as an encoder that is trained here is. Running it runs its
    code: use only files and packages that you trust."""

    kind: ClassVar[str] = "module"

    encoder: Literal["module"]
    """module: takes a batch of samples, float32 (B, ...), and gives embeddings (B, D), tokens (B, N, D)
    or feature maps (B, D, h, w). Values are normalised as for encoders that are trained here."""
    path: str | None = None
    """Program that torch.export.save wrote (.pt2), with a batch of any size. Archives that hold pickles
    or machine code are refused."""
    function: Annotated[str, Field(pattern=r"^[\w.]+:[\w.]+$")] | None = None
    """package.module:function, called without arguments; it returns the module with its weights."""

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Self:
        if (self.path is None) == (self.function is None):
            raise ValueError("path and function: expected one of the two")
        return self


class PixelModule(ModuleEncoder):
    """The same for images (B, C, H, W) and clips (B, T, C, H, W)."""

    takes: Literal["normalised", "plain"] = "normalised"
    """What the module takes. normalised: pixels as encoders that are trained here take them, with the
    mean and standard deviation of the training part. plain: values of 0 to 1, which the module
    normalises by itself."""
