"""Settings of encoders that come from elsewhere: published weights, and modules of one's own."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from .base import Settings
from .floors import UntrainedEncoder


class PretrainedEncoder(Settings):
    """Published weights for images or clips, judged like an encoder that is trained here."""

    kind: ClassVar[str] = "pretrained"

    encoder: Literal["pretrained"]
    """pretrained: a model from transformers or timm, with the preprocessing that its folder states."""
    path: str
    """Folder that save_pretrained of transformers or save_for_hf of timm wrote. It holds config.json,
    weights as .safetensors and, for transformers, preprocessor_config.json. Nothing is downloaded, no
    pickle is read, and no code from the folder is run. The weights must have exactly the keys of the
    saved class."""


class UntrainedPretrained(UntrainedEncoder):
    """Floor: the architecture of published weights with its library's initial weights."""

    encoder: Literal["pretrained-untrained"]
    """pretrained-untrained: the architecture of published weights, with random initial weights."""
    path: str
    """Folder of the published weights. Only config.json and the preprocessing are read."""


class ModuleEncoder(Settings):
    """A PyTorch module of your own, judged like an encoder that is trained here. Running it runs its
    code: use only files and packages that you trust."""

    kind: ClassVar[str] = "module"

    encoder: Literal["module"]
    """module: a PyTorch module. It takes a batch of samples, float32 (B, ...), and returns embeddings
    (B, D), tokens (B, N, D) or feature maps (B, D, h, w). Its input is normalised as for encoders that
    are trained here (for images and clips, see takes)."""
    path: str | None = None
    """Program that torch.export.save wrote (.pt2) and that accepts batches of any size. Archives with
    pickles or machine code are refused."""
    function: Annotated[str, Field(pattern=r"^[\w.]+:[\w.]+$")] | None = None
    """Function that returns the module with its weights, written as package.module:function. It is
    called without arguments."""

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Self:
        if (self.path is None) == (self.function is None):
            raise ValueError("path and function: expected one of the two")
        return self


class PixelModule(ModuleEncoder):
    """The same for images (B, C, H, W) and clips (B, T, C, H, W)."""

    takes: Literal["normalised", "plain"] = "normalised"
    """What the module gets. normalised: pixels are normalised with the mean and standard deviation of
    the training part, as for encoders that are trained here. plain: values from 0 to 1; the module
    normalises them itself."""
